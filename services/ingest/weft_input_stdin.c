//  weft_input_stdin.c - standard input as messages: a tar archive, or packets.
//
//  Libarchive tells a tar archive (perhaps compressed) from anything else. What
//  is none is taken apart where an Avro container ends and the next begins: a
//  block never has the count that "Obj" would be. Anything else is one packet,
//  to its end. Nothing can be read a second time: a restart is another input.

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include "weft_decoder.h"
#include "weft_hash.h"
#include "weft_input.h"
#include "weft_time.h"

#define CHUNK (256u << 10)
#define SYNC 16

typedef struct {
    weft_input_t input;  //  first: what callers hold
    struct archive *archive;
    char entry[1024];  //  of a tar archive
    bool open, raw;    //  an entry is; it is the whole stream
    bool ended;
    uint8_t *data;
    size_t size, room;  //  bytes read and not given away
    size_t given;       //  of them, by the last message
    weft_place_t next;
    uint64_t identity;
    char why[WEFT_INPUT_WHY];
} stdin_t;

//  A cursor over what has been read; `end` means more is needed.
typedef struct {
    const uint8_t *data;
    size_t size, at;
    bool end;
} walk_t;

static int64_t
read_long (walk_t *walk)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (walk->at >= walk->size) {
            walk->end = true;
            return 0;
        }
        uint8_t byte = walk->data[walk->at++];
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            break;
    }
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

//  Steps over `size` bytes. False: more are needed, or it is no size.
static bool
step (walk_t *walk, int64_t size)
{
    walk->end |= size < 0 || (uint64_t)size > walk->size - walk->at;
    if (!walk->end)
        walk->at += (size_t)size;
    return !walk->end;
}

static bool
step_header (walk_t *walk)
{
    walk->at = 4;
    for (int64_t n; (n = read_long (walk)) && !walk->end;)
        for (int64_t i = 0; i < 2 * (n < 0 ? -n : n) && !walk->end; i++)
            (void)step (walk, read_long (walk));
    return step (walk, SYNC);
}

//  Bytes of the first container in the data, 0: it goes on, or it is none.
static size_t
container_end (const uint8_t *data, size_t size)
{
    walk_t walk = { data, size, 0, false };
    if (size < 4 || memcmp (data, "Obj\x01", 4) != 0 || !step_header (&walk))
        return 0;
    while (walk.size - walk.at >= 4) {
        if (memcmp (data + walk.at, "Obj\x01", 4) == 0)
            return walk.at;
        if (read_long (&walk) < 0 || !step (&walk, read_long (&walk)) ||
            !step (&walk, SYNC))
            return 0;
    }
    return 0;
}

//  Reads on: 1, 0 at the end of the entry, or an error with its reason.
static int
read_on (stdin_t *self)
{
    if (self->size + CHUNK > self->room) {
        size_t room = WEFT_MAX (2 * self->room, (size_t)4 * CHUNK);
        uint8_t *moved = self->size + CHUNK > WEFT_MESSAGE_MOST + CHUNK
                             ? NULL
                             : realloc (self->data, room);
        if (!moved) {
            snprintf (self->why, sizeof (self->why),
                      "standard input: larger than a message may be");
            return WEFT_ETOOBIG;
        }
        self->data = moved;
        self->room = room;
    }
    ssize_t n =
        archive_read_data (self->archive, self->data + self->size, CHUNK);
    if (n < 0) {
        snprintf (self->why, sizeof (self->why), "standard input: %s",
                  archive_error_string (self->archive));
        return WEFT_EMALFORMED;
    }
    self->size += (size_t)n;
    return n > 0;
}

//  The next message's bytes at the start of the data: how many.
static int
next_packet (stdin_t *self, size_t *size)
{
    int rc = 1;
    *size = 0;
    while (rc == 1) {
        //  Looked at anew only where that may help: the cost stays linear for
        //  packets of a usual size.
        if (self->raw && (*size = container_end (self->data, self->size)))
            return 0;
        rc = read_on (self);
    }
    self->open = false;
    self->ended |= self->raw;
    *size = self->size;
    return rc;
}

//  The next entry of the archive, or the stream: 1, 0 at the end, or an error.
static int
open_entry (stdin_t *self)
{
    struct archive_entry *entry;
    for (;;) {
        int rc = archive_read_next_header (self->archive, &entry);
        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
            snprintf (self->why, sizeof (self->why), "standard input: %s",
                      archive_error_string (self->archive));
            return WEFT_EMALFORMED;
        }
        self->raw = archive_format (self->archive) == ARCHIVE_FORMAT_RAW;
        const char *name = archive_entry_pathname (entry);
        const char *slash = name ? strrchr (name, '/') : NULL;
        if (!self->raw && (archive_entry_filetype (entry) != AE_IFREG ||
                           !name || *(slash ? slash + 1 : name) == '.'))
            continue;
        snprintf (self->entry, sizeof (self->entry), "%s", name ? name : "");
        self->open = true;
        return 1;
    }
}

static int
stdin_next (weft_input_t *input, weft_message_t *message)
{
    stdin_t *self = (stdin_t *)(void *)input;
    size_t size = 0;
    if (self->given)
        memmove (self->data, self->data + self->given,
                 self->size - self->given);
    self->size -= self->given;
    self->given = 0;
    int rc = self->ended ? 0 : self->open ? 1 : open_entry (self);
    if (rc == 1)
        rc = next_packet (self, &size);
    else if (!rc)
        return 0;
    self->ended |= rc < 0;
    if (!rc && !size && self->raw)
        return 0;
    self->given = rc < 0 ? 0 : size;
    *message = (weft_message_t){
        .place = self->next,
        .path = "-",
        .archived = true,
        .entry = self->raw ? NULL : self->entry,
        .data = rc < 0 ? NULL : self->data,
        .size = rc < 0 ? 0 : size,
        .why = rc < 0 ? self->why : NULL,
    };
    return 1;
}

static void
stdin_advance (weft_input_t *input, uint64_t items)
{
    stdin_t *self = (stdin_t *)(void *)input;
    self->next.offset += (int64_t)items;
    self->next.item += items;
    self->next.entry++;
}

static int
stdin_seek (weft_input_t *input, const weft_place_t *place)
{
    (void)input;
    return place->offset ? WEFT_ENOENT : 0;
}

static uint64_t
stdin_identity (const weft_input_t *input)
{
    return ((const stdin_t *)(const void *)input)->identity;
}

static void
stdin_destroy (weft_input_t **self_p)
{
    stdin_t *self = (stdin_t *)(void *)*self_p;
    if (self->archive)
        archive_read_free (self->archive);
    free (self->data);
    free (self);
    *self_p = NULL;
}

weft_input_t *
weft_input_stdin (int fd, char why[WEFT_INPUT_WHY])
{
    stdin_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->input = (weft_input_t){ .next = stdin_next,
                                  .advance = stdin_advance,
                                  .seek = stdin_seek,
                                  .identity = stdin_identity,
                                  .destroy = stdin_destroy };
    weft_input_t *input = &self->input;
    self->identity =
        weft_hash_u64 ((uint64_t)weft_time_ns () ^ (uint64_t)getpid () << 40 ^
                       (uint64_t)(weft_time_utc () * 1e6));
    self->archive = archive_read_new ();
    if (self->archive) {
        archive_read_support_filter_all (self->archive);
        archive_read_support_format_tar (self->archive);
        archive_read_support_format_raw (self->archive);
        archive_read_support_format_empty (self->archive);
        if (archive_read_open_fd (self->archive, fd, 65536) == ARCHIVE_OK)
            return input;
    }
    snprintf (why, WEFT_INPUT_WHY, "standard input: %s",
              self->archive ? archive_error_string (self->archive)
                            : "out of memory");
    stdin_destroy (&input);
    return NULL;
}
