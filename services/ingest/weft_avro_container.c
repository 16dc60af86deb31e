//  weft_avro_container.c - headers, blocks, codecs and sync markers.

#include <stdarg.h>

#include <snappy-c.h>
#include <zlib.h>

#include "weft_avro_container.h"

#define SYNC 16
#define META_MOST 256  //  entries of the header's map

typedef enum { CODEC_NULL, CODEC_DEFLATE, CODEC_SNAPPY } codec_t;

static const char *const codec_names[] = { "null", "deflate", "snappy" };

struct weft_avro_container {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    const char *schema;
    size_t schema_size;
    codec_t codec;
    uint8_t sync[SYNC];
    uint32_t blocks;    //  read so far, for messages
    uint8_t *unpacked;  //  of the current block, if it was packed
    size_t room;
};

static int say (char *why, int rc, const char *format, ...) WEFT_PRINTF (3, 4);

static int
say (char *why, int rc, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (why, WEFT_AVRO_WHY, format, args);
    va_end (args);
    return rc;
}

static size_t
left (const weft_avro_container_t *self)
{
    return (size_t)(self->end - self->at);
}

static int
take_long (weft_avro_container_t *self, int64_t *value)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (self->at == self->end)
            return WEFT_ETRUNCATED;
        uint8_t byte = *self->at++;
        if (i == 9 && byte > 1)
            return WEFT_EMALFORMED;
        bits |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
            return 0;
        }
    }
    return WEFT_EMALFORMED;
}

static int
take_run (weft_avro_container_t *self, const uint8_t **run, size_t *size)
{
    int64_t n;
    int rc = take_long (self, &n);
    if (rc)
        return rc;
    if (n < 0)
        return WEFT_EMALFORMED;
    if ((uint64_t)n > left (self))
        return WEFT_ETRUNCATED;
    *run = self->at;
    *size = (size_t)n;
    self->at += n;
    return 0;
}

static bool
is_text (const uint8_t *run, size_t size, const char *text)
{
    return size == strlen (text) && !memcmp (run, text, size);
}

static int
take_entry (weft_avro_container_t *self, char *why)
{
    const uint8_t *key, *value;
    size_t key_size, size;
    int rc = take_run (self, &key, &key_size);
    if (!rc)
        rc = take_run (self, &value, &size);
    if (rc)
        return say (why, rc, "container: the header is cut off");
    if (is_text (key, key_size, "avro.schema")) {
        self->schema = (const char *)value;
        self->schema_size = size;
    }
    if (!is_text (key, key_size, "avro.codec"))
        return 0;
    for (size_t i = 0; i < WEFT_COUNT (codec_names); i++)
        if (is_text (value, size, codec_names[i])) {
            self->codec = (codec_t)i;
            return 0;
        }
    return say (why, WEFT_EMALFORMED, "container: codec '%.*s' is not known",
                (int)WEFT_MIN (size, (size_t)32), (const char *)value);
}

//  The header's map; counts may be negative and then have a size, as in data.
static int
take_meta (weft_avro_container_t *self, char *why)
{
    uint32_t entries = 0;
    for (;;) {
        int64_t n, size;
        int rc = take_long (self, &n);
        if (!rc && n < 0) {
            n = n == INT64_MIN ? META_MOST + 1 : -n;
            rc = take_long (self, &size);
        }
        if (rc)
            return say (why, rc, "container: the header is cut off");
        if (!n)
            return 0;
        if (n > META_MOST - entries)
            return say (why, WEFT_ETOOBIG, "container: header of %lld entries",
                        (long long)n);
        entries += (uint32_t)n;
        for (; n; n--)
            if ((rc = take_entry (self, why)))
                return rc;
    }
}

bool
weft_avro_container_is (const void *data, size_t size)
{
    return size >= 4 && !memcmp (data, WEFT_CONTAINER_MAGIC, 4);
}

int
weft_avro_container_reset (weft_avro_container_t *self,
                           const void *data,
                           size_t size,
                           char why[WEFT_AVRO_WHY])
{
    self->start = self->at = data;
    self->end = self->start + size;
    self->schema = NULL;
    self->schema_size = 0;
    self->codec = CODEC_NULL;
    self->blocks = 0;
    if (!weft_avro_container_is (data, size))
        return say (why, WEFT_EMALFORMED, "not an Avro container");
    self->at += 4;
    int rc = take_meta (self, why);
    if (rc)
        return rc;
    if (!self->schema)
        return say (why, WEFT_EMALFORMED, "container: no schema in its header");
    if (left (self) < SYNC)
        return say (why, WEFT_ETRUNCATED, "container: ends in its header");
    memcpy (self->sync, self->at, SYNC);
    self->at += SYNC;
    return 0;
}

weft_avro_container_t *
weft_avro_container_new (const void *data, size_t size, char why[WEFT_AVRO_WHY])
{
    weft_avro_container_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_AVRO_WHY, "out of memory");
        return NULL;
    }
    if (weft_avro_container_reset (self, data, size, why))
        weft_avro_container_destroy (&self);
    return self;
}

void
weft_avro_container_destroy (weft_avro_container_t **self_p)
{
    if (!*self_p)
        return;
    free ((*self_p)->unpacked);
    free (*self_p);
    *self_p = NULL;
}

const char *
weft_avro_container_schema (const weft_avro_container_t *self, size_t *size)
{
    *size = self->schema_size;
    return self->schema;
}

static int
make_room (weft_avro_container_t *self, size_t size)
{
    if (size > WEFT_CONTAINER_BLOCK_MOST)
        return WEFT_ETOOBIG;
    if (size <= self->room)
        return 0;
    uint8_t *moved = realloc (self->unpacked, size);
    if (!moved)
        return WEFT_ENOMEM;
    self->unpacked = moved;
    self->room = size;
    return 0;
}

//  Deflate without zlib's header, the size unknown: the room doubles until it
//  fits, up to the ceiling.
static int
unpack_deflate (weft_avro_container_t *self,
                const uint8_t *packed,
                size_t size,
                size_t *out)
{
    z_stream stream = { .next_in = (Bytef *)packed, .avail_in = (uInt)size };
    if (inflateInit2 (&stream, -MAX_WBITS) != Z_OK)
        return WEFT_ENOMEM;
    size_t room = WEFT_MAX (self->room, 4 * size + 1024);
    int rc = make_room (self, WEFT_MIN (room, WEFT_CONTAINER_BLOCK_MOST));
    int z = Z_OK;
    while (!rc && z == Z_OK) {
        stream.next_out = self->unpacked + stream.total_out;
        stream.avail_out = (uInt)(self->room - stream.total_out);
        z = inflate (&stream, Z_NO_FLUSH);
        if (z == Z_BUF_ERROR && stream.avail_out)
            rc = WEFT_ETRUNCATED;
        else if ((z == Z_OK || z == Z_BUF_ERROR) && !stream.avail_out) {
            rc = self->room < WEFT_CONTAINER_BLOCK_MOST
                     ? make_room (self, WEFT_MIN (2 * self->room,
                                                  WEFT_CONTAINER_BLOCK_MOST))
                     : WEFT_ETOOBIG;
            z = Z_OK;
        }
    }
    *out = stream.total_out;
    inflateEnd (&stream);
    if (!rc && z != Z_STREAM_END)
        rc = WEFT_EMALFORMED;
    return rc;
}

//  Snappy, then the CRC-32 of the unpacked bytes, big-endian.
static int
unpack_snappy (weft_avro_container_t *self,
               const uint8_t *packed,
               size_t size,
               size_t *out)
{
    if (size < 4)
        return WEFT_ETRUNCATED;
    size -= 4;
    const char *from = (const char *)packed;
    if (snappy_uncompressed_length (from, size, out) != SNAPPY_OK)
        return WEFT_EMALFORMED;
    int rc = make_room (self, WEFT_MAX (*out, (size_t)1));
    if (rc)
        return rc;
    if (snappy_uncompress (from, size, (char *)self->unpacked, out) !=
        SNAPPY_OK)
        return WEFT_EMALFORMED;
    const uint8_t *sum = packed + size;
    uint32_t crc = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 |
                   (uint32_t)sum[2] << 8 | sum[3];
    return crc == crc32 (0, self->unpacked, (uInt)*out) ? 0 : WEFT_EMALFORMED;
}

static int
unpack (weft_avro_container_t *self,
        const uint8_t *packed,
        size_t size,
        weft_avro_block_t *block)
{
    int rc = 0;
    block->data = packed;
    block->size = size;
    if (self->codec == CODEC_NULL)
        return size > WEFT_CONTAINER_BLOCK_MOST ? WEFT_ETOOBIG : 0;
    if (size > WEFT_CONTAINER_BLOCK_MOST)
        return WEFT_ETOOBIG;
    rc = self->codec == CODEC_DEFLATE
             ? unpack_deflate (self, packed, size, &block->size)
             : unpack_snappy (self, packed, size, &block->size);
    block->data = self->unpacked;
    return rc;
}

int
weft_avro_container_next (weft_avro_container_t *self,
                          weft_avro_block_t *block,
                          char why[WEFT_AVRO_WHY])
{
    if (self->at == self->end)
        return 0;
    unsigned number = ++self->blocks;
    size_t place = (size_t)(self->at - self->start);
    const uint8_t *packed;
    size_t size;
    int64_t records;
    int rc = take_long (self, &records);
    if (!rc)
        rc = take_run (self, &packed, &size);
    if (rc == WEFT_ETRUNCATED)
        return say (why, rc, "container: ends inside block %u at byte %zu",
                    number, place);
    if (rc || records < 0 || records > WEFT_CONTAINER_RECORDS_MOST)
        return say (why, WEFT_EMALFORMED,
                    "container: block %u at byte %zu has an impossible count",
                    number, place);
    if (left (self) < SYNC)
        return say (why, WEFT_ETRUNCATED,
                    "container: ends before the sync marker of block %u, bytes "
                    "are missing (cut short, or line ends converted?)",
                    number);
    if (memcmp (self->at, self->sync, SYNC))
        return say (why, WEFT_EMALFORMED,
                    "container: no sync marker after block %u, bytes were "
                    "lost or changed (line ends converted?)",
                    number);
    self->at += SYNC;
    block->records = (uint32_t)records;
    rc = unpack (self, packed, size, block);
    if (rc)
        return say (why, rc, "container: block %u does not unpack (%s): %s",
                    number, codec_names[self->codec], weft_error_text (rc));
    return 1;
}

bool
weft_avro_container_done (const weft_avro_container_t *self)
{
    return self->at == self->end;
}
