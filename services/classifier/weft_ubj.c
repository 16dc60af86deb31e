//  weft_ubj.c - see weft_ubj.h. Format: UBJSON draft 12, as XGBoost writes it.

#include "weft_ubj.h"

void
weft_ubj_init (weft_ubj_t *self, const void *data, size_t size)
{
    self->at = data;
    self->end = self->at + size;
}

static size_t
bytes_left (const weft_ubj_t *self)
{
    return (size_t)(self->end - self->at);
}

static int
take_u8 (weft_ubj_t *self, uint8_t *value)
{
    if (self->at == self->end)
        return WEFT_ETRUNCATED;
    *value = *self->at++;
    return 0;
}

//  Bytes of a number of that type; 0 if it is no number.
static size_t
size_of_number (uint8_t type)
{
    switch (type) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static uint64_t
get_big_endian (const uint8_t *p, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits = bits << 8 | p[i];
    return bits;
}

static double
number_of_bits (uint8_t type, uint64_t bits)
{
    float single;
    double whole;
    uint32_t low = (uint32_t)bits;
    switch (type) {
    case 'i':
        return (int8_t)bits;
    case 'U':
        return (double)bits;
    case 'I':
        return (int16_t)bits;
    case 'l':
        return (int32_t)low;
    case 'L':
        return (double)(int64_t)bits;
    case 'd':
        memcpy (&single, &low, 4);
        return (double)single;
    default:
        memcpy (&whole, &bits, 8);
        return whole;
    }
}

static int
take_number (weft_ubj_t *self, uint8_t type, double *value)
{
    size_t size = size_of_number (type);
    if (!size)
        return WEFT_ETYPE;
    if (bytes_left (self) < size)
        return WEFT_ETRUNCATED;
    *value = number_of_bits (type, get_big_endian (self->at, size));
    self->at += size;
    return 0;
}

//  A length: an integer of any width, with its marker.
static int
take_length (weft_ubj_t *self, uint64_t *length)
{
    uint8_t type;
    int rc = take_u8 (self, &type);
    if (rc)
        return rc;
    size_t size = size_of_number (type);
    if (!size || type == 'd' || type == 'D')
        return WEFT_ETYPE;
    if (bytes_left (self) < size)
        return WEFT_ETRUNCATED;
    *length = get_big_endian (self->at, size);
    self->at += size;
    return *length >> 63 ? WEFT_ERANGE : 0;
}

static int
take_text (weft_ubj_t *self, weft_str_t *text)
{
    uint64_t size;
    int rc = take_length (self, &size);
    if (rc)
        return rc;
    if (size > bytes_left (self) || size > UINT32_MAX)
        return WEFT_ETRUNCATED;
    *text = (weft_str_t){ (const char *)self->at, (uint32_t)size };
    self->at += size;
    return 0;
}

static int
expect (weft_ubj_t *self, uint8_t marker)
{
    uint8_t type;
    int rc = take_u8 (self, &type);
    return rc ? rc : type == marker ? 0 : WEFT_ETYPE;
}

int
weft_ubj_object (weft_ubj_t *self)
{
    return expect (self, '{');
}

int
weft_ubj_key (weft_ubj_t *self, weft_str_t *key)
{
    if (self->at == self->end)
        return WEFT_ETRUNCATED;
    if (*self->at == '}') {
        self->at++;
        return 0;
    }
    int rc = take_text (self, key);
    return rc ? rc : 1;
}

//  Behind '[': an optional "$type" and an optional "#count".
static int
take_array_head (weft_ubj_t *self, weft_ubj_array_t *array)
{
    *array = (weft_ubj_array_t){ 0 };
    if (bytes_left (self) && *self->at == '$') {
        self->at++;
        int rc = take_u8 (self, &array->type);
        if (rc)
            return rc;
        if (!size_of_number (array->type))
            return WEFT_ETYPE;
    }
    if (!bytes_left (self) || *self->at != '#')
        return array->type ? WEFT_EMALFORMED : 0;
    self->at++;
    array->counted = true;
    int rc = take_length (self, &array->left);
    size_t least = size_of_number (array->type);
    if (!least)
        least = 1;
    if (!rc && array->left > bytes_left (self) / least)
        rc = WEFT_ETRUNCATED;
    return rc;
}

int
weft_ubj_array (weft_ubj_t *self, weft_ubj_array_t *array)
{
    int rc = expect (self, '[');
    return rc ? rc : take_array_head (self, array);
}

int
weft_ubj_more (weft_ubj_t *self, weft_ubj_array_t *array)
{
    if (array->counted) {
        if (!array->left)
            return 0;
        array->left--;
        return 1;
    }
    if (self->at == self->end)
        return WEFT_ETRUNCATED;
    if (*self->at != ']')
        return 1;
    self->at++;
    return 0;
}

int
weft_ubj_number (weft_ubj_t *self, const weft_ubj_array_t *array, double *value)
{
    uint8_t type = array->type;
    int rc = type ? 0 : take_u8 (self, &type);
    return rc ? rc : take_number (self, type, value);
}

int
weft_ubj_str (weft_ubj_t *self, weft_str_t *value)
{
    int rc = expect (self, 'S');
    return rc ? rc : take_text (self, value);
}

static int skip_value (weft_ubj_t *self, uint8_t type, int depth);

static int
skip_object (weft_ubj_t *self, int depth)
{
    weft_str_t key;
    int rc;
    while ((rc = weft_ubj_key (self, &key)) == 1) {
        uint8_t type;
        if ((rc = take_u8 (self, &type)) ||
            (rc = skip_value (self, type, depth + 1)))
            return rc;
    }
    return rc;
}

static int
skip_array (weft_ubj_t *self, int depth)
{
    weft_ubj_array_t array;
    int rc = take_array_head (self, &array);
    if (rc)
        return rc;
    if (array.type) {  //  the head has checked that they are all there
        self->at += array.left * size_of_number (array.type);
        return 0;
    }
    while ((rc = weft_ubj_more (self, &array)) == 1) {
        uint8_t type;
        if ((rc = take_u8 (self, &type)) ||
            (rc = skip_value (self, type, depth + 1)))
            return rc;
    }
    return rc;
}

static int
skip_value (weft_ubj_t *self, uint8_t type, int depth)
{
    weft_str_t text;
    double number;
    if (depth > WEFT_UBJ_DEPTH)
        return WEFT_ETOODEEP;
    switch (type) {
    case '{':
        return skip_object (self, depth);
    case '[':
        return skip_array (self, depth);
    case 'S':
        return take_text (self, &text);
    case 'Z':
    case 'T':
    case 'F':
        return 0;
    default:
        return take_number (self, type, &number);
    }
}

int
weft_ubj_skip (weft_ubj_t *self)
{
    uint8_t type;
    int rc = take_u8 (self, &type);
    return rc ? rc : skip_value (self, type, 0);
}
