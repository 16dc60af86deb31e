//  weft_container_walk.c - header and blocks, by their sizes.

#include "weft_container_walk.h"
#include "weft_decoder.h"

#define META_MOST 256  //  entries of the header's map
#define EMPTY 2        //  bytes of a block without records before its marker

typedef struct {
    const uint8_t *data;
    size_t size, at;
} cursor_t;

static int
take_long (cursor_t *cursor, int64_t *value)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (cursor->at == cursor->size)
            return WEFT_ETRUNCATED;
        uint8_t byte = cursor->data[cursor->at++];
        bits |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
            return 0;
        }
    }
    return WEFT_EMALFORMED;
}

//  A size that no message has is not waited for.
static int
step (cursor_t *cursor, int64_t size)
{
    if (size < 0 || size > WEFT_MESSAGE_MOST)
        return WEFT_EMALFORMED;
    if ((uint64_t)size > cursor->size - cursor->at)
        return WEFT_ETRUNCATED;
    cursor->at += (size_t)size;
    return 0;
}

static int
step_run (cursor_t *cursor)
{
    int64_t size;
    int rc = take_long (cursor, &size);
    return rc ? rc : step (cursor, size);
}

static int
step_header (cursor_t *cursor, uint8_t sync[WEFT_WALK_SYNC])
{
    int64_t n, size, entries = 0;
    int rc = step (cursor, 4);
    while (!rc && !(rc = take_long (cursor, &n)) && n) {
        if (n < 0) {
            n = n == INT64_MIN ? INT64_MAX : -n;
            rc = take_long (cursor, &size);
        }
        if (n > META_MOST - entries)
            return WEFT_EMALFORMED;
        entries += n;
        for (; !rc && n; n--) {
            rc = step_run (cursor);
            if (!rc)
                rc = step_run (cursor);
        }
    }
    if (!rc)
        rc = step (cursor, WEFT_WALK_SYNC);
    //  One that was cut off goes on in the next one's.
    if (!rc && weft_container_find (cursor->data, 1, cursor->at) < cursor->at)
        rc = WEFT_EMALFORMED;
    if (!rc)
        memcpy (sync, cursor->data + cursor->at - WEFT_WALK_SYNC,
                WEFT_WALK_SYNC);
    return rc;
}

static int
step_block (cursor_t *cursor, const uint8_t sync[WEFT_WALK_SYNC])
{
    int64_t records;
    int rc = take_long (cursor, &records);
    if (!rc && records < 0)
        rc = WEFT_EMALFORMED;
    if (!rc)
        rc = step_run (cursor);
    if (!rc)
        rc = step (cursor, WEFT_WALK_SYNC);
    if (!rc && memcmp (cursor->data + cursor->at - WEFT_WALK_SYNC, sync,
                       WEFT_WALK_SYNC))
        rc = WEFT_EMALFORMED;
    return rc;
}

//  Zeros as tar and tapes fill up with: no block, which would have its marker.
static bool
is_padding (const uint8_t *data,
            size_t size,
            bool all,
            const uint8_t sync[WEFT_WALK_SYNC])
{
    for (size_t i = 0; i < WEFT_MIN (size, (size_t)EMPTY); i++)
        if (data[i])
            return false;
    if (size < EMPTY + WEFT_WALK_SYNC)
        return all;
    return memcmp (data + EMPTY, sync, WEFT_WALK_SYNC) != 0;
}

size_t
weft_container_find (const uint8_t *data, size_t from, size_t size)
{
    while (from < size) {
        const uint8_t *found =
            memchr (data + from, *WEFT_CONTAINER_MAGIC, size - from);
        if (!found)
            break;
        from = (size_t)(found - data);
        if (weft_avro_container_is (found, size - from))
            return from;
        from++;
    }
    return size;
}

weft_walk_t
weft_container_walk (weft_container_walk_t *self,
                     const uint8_t *data,
                     size_t size,
                     bool all)
{
    int rc = 0;
    while (!rc) {
        cursor_t cursor = { data, size, self->at };
        if (!self->headed) {
            rc = step_header (&cursor, self->sync);
        } else {
            const uint8_t *next = data + self->at;
            size_t left = size - self->at;
            if (left < 4 && !all)
                return WEFT_WALK_MORE;
            if (weft_avro_container_is (next, left) ||
                is_padding (next, left, all, self->sync))
                return WEFT_WALK_END;
            rc = step_block (&cursor, self->sync);
            self->blocks += !rc;
        }
        if (!rc) {
            self->headed = true;
            self->at = cursor.at;
        }
    }
    return rc == WEFT_ETRUNCATED && !all ? WEFT_WALK_MORE : WEFT_WALK_BROKEN;
}

bool
weft_tar_head_is (const uint8_t head[WEFT_TAR_BLOCK])
{
    const uint8_t *field = head + 148;
    uint32_t sum = 8 * ' ', said = 0;
    int digits = 0;
    for (int i = 0; i < WEFT_TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? 0 : head[i];
    for (int i = 0; i < 8; i++) {
        if (field[i] >= '0' && field[i] <= '7') {
            said = 8 * said + (uint32_t)(field[i] - '0');
            digits++;
        } else if (digits || field[i] != ' ') {
            break;
        }
    }
    return digits && said == sum;
}
