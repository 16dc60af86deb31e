//  weft_slot.c - hash slots, and where they are said to be.

#include "weft_slot.h"

enum { SCRIPT_ARGS = 3 };

uint16_t
weft_slot_crc16 (const void *data, size_t size)
{
    //  The remainders of four bits by 0x1021: half a byte a step.
    static const uint16_t step[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
    };
    const uint8_t *bytes = data;
    unsigned crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc = (crc << 4 & 0xffff) ^ step[crc >> 12 ^ bytes[i] >> 4];
        crc = (crc << 4 & 0xffff) ^ step[crc >> 12 ^ (bytes[i] & 15)];
    }
    return (uint16_t)crc;
}

int
weft_slot_of (const void *key, size_t size)
{
    const char *text = key;
    const char *open = size ? memchr (text, '{', size) : NULL;
    if (open) {
        size_t left = size - (size_t)(open + 1 - text);
        const char *close = left ? memchr (open + 1, '}', left) : NULL;
        if (close && close > open + 1) {
            text = open + 1;
            size = (size_t)(close - text);
        }
    }
    return weft_slot_crc16 (text, size) % WEFT_SLOTS;
}

typedef struct {
    const uint8_t *at, *end;
} cursor_t;

//  "*3\r\n" or "$5\r\n": the number, or -1.
static long
read_header (cursor_t *self, char kind)
{
    long value = 0;
    if (self->at == self->end || *self->at++ != (uint8_t)kind)
        return -1;
    const uint8_t *first = self->at;
    while (self->at < self->end && *self->at >= '0' && *self->at <= '9') {
        if (value > INT32_MAX)
            return -1;
        value = value * 10 + (*self->at++ - '0');
    }
    bool line = self->at > first && self->end - self->at >= 2 &&
                self->at[0] == '\r' && self->at[1] == '\n';
    self->at += line ? 2 : 0;
    return line ? value : -1;
}

//  One argument; NULL if there is none.
static const char *
read_arg (cursor_t *self, size_t *size)
{
    long value = read_header (self, '$');
    if (value < 0 || self->end - self->at < value + 2)
        return NULL;
    const char *arg = (const char *)self->at;
    self->at += value + 2;
    *size = (size_t)value;
    return arg;
}

static bool
is_script (const char *name, size_t size)
{
    return (size == 7 && memcmp (name, "EVALSHA", 7) == 0) ||
           (size == 4 && memcmp (name, "EVAL", 4) == 0);
}

int
weft_slot_command (const uint8_t *bytes,
                   size_t size,
                   weft_slot_command_t *command)
{
    cursor_t cursor = { bytes, bytes + size };
    long argc = read_header (&cursor, '*'), key_at = 1;
    bool keyless = false;
    command->slot = WEFT_SLOT_NONE;
    for (long i = 0; i < argc; i++) {
        size_t n = 0;
        const char *arg = read_arg (&cursor, &n);
        if (!arg)
            return WEFT_EMALFORMED;
        if (i == 0 && is_script (arg, n))
            key_at = SCRIPT_ARGS;
        if (i == 2 && key_at == SCRIPT_ARGS)
            keyless = n == 1 && *arg == '0';
        if (i == key_at && !keyless)
            command->slot = weft_slot_of (arg, n);
    }
    command->size = (size_t)(cursor.at - bytes);
    return argc > 0 ? 0 : WEFT_EMALFORMED;
}

int
weft_slot_place (const char *text, char host[WEFT_SLOT_HOST_MOST], int *port)
{
    const char *colon = strrchr (text, ':');
    if (!colon || colon[1] < '0' || colon[1] > '9')
        return WEFT_ECONFIG;
    char *end = NULL;
    long value = strtol (colon + 1, &end, 10);
    size_t size = (size_t)(colon - text);
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    if (*end || value < 1 || value > 65535 || size >= WEFT_SLOT_HOST_MOST)
        return WEFT_ECONFIG;
    memcpy (host, text, size);
    host[size] = '\0';
    *port = (int)value;
    return 0;
}

//  "3999 127.0.0.1:6381" behind the word.
static bool
read_target (const char *text, weft_redirect_t *redirect)
{
    char *end = NULL;
    long slot = strtol (text, &end, 10);
    if (end == text || *end != ' ' || slot < 0 || slot >= WEFT_SLOTS)
        return false;
    redirect->slot = (int)slot;
    return weft_slot_place (end + 1, redirect->host, &redirect->port) == 0;
}

weft_redirect_t
weft_redirect_read (const char *error)
{
    static const struct {
        const char *word;
        weft_redirect_kind_t kind;
    } words[] = {
        { "MOVED ", WEFT_REDIRECT_MOVED },
        { "ASK ", WEFT_REDIRECT_ASK },
        { "TRYAGAIN", WEFT_REDIRECT_AGAIN },
        { "CLUSTERDOWN", WEFT_REDIRECT_DOWN },
    };
    weft_redirect_t redirect = { .kind = WEFT_REDIRECT_NONE };
    for (size_t i = 0; i < WEFT_COUNT (words); i++) {
        size_t size = strlen (words[i].word);
        if (strncmp (error, words[i].word, size) != 0)
            continue;
        bool target = words[i].kind == WEFT_REDIRECT_MOVED ||
                      words[i].kind == WEFT_REDIRECT_ASK;
        if (!target || read_target (error + size, &redirect))
            redirect.kind = words[i].kind;
    }
    return redirect;
}
