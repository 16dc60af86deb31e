//  weft_bundle.c - one libarchive unpacks what is no gzip, another reads the tar
//  archives in it.
//
//  Libarchive ends at the zeros that end a tar archive, and says nothing of what
//  is behind them. So the unpacked bytes are ours: a tar archive takes from them
//  what it needs, and where it has ended we look at what is next.

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "weft_bundle.h"
#include "weft_container_walk.h"
#include "weft_decoder.h"
#include "weft_gunzip.h"

#define CHUNK (64u << 10)
#define TAR_BLOCK WEFT_TAR_BLOCK
#define ZEROS 5  //  so many are no framed message: nobody has schema id 0

struct weft_bundle {
    weft_gunzip_t *source;
    struct archive *packed;  //  what comes from there
    const uint8_t *raw;      //  what it was given last
    size_t raw_size;         //  bytes of that
    uint64_t raw_fed;        //  bytes that `packed` was given so far
    //  Unpacked, from `start` on not given away.
    uint8_t *data;
    size_t start, size, room;
    bool all;                    //  no more comes behind them,
    char fault[WEFT_INPUT_WHY];  //  for this reason, if not for the end
    size_t given;                //  by the last message
    struct archive *tar;         //  that takes from them, or NULL
    uint64_t fed, taken;         //  bytes it was given, that it has used
    char name[1024];             //  of its entry
    uint8_t *entry;
    size_t entry_size, entry_room;
    char why[WEFT_INPUT_WHY + 128];
};

//  --- bytes, unpacked

static la_ssize_t
feed_raw (struct archive *archive, void *arg, const void **data)
{
    weft_bundle_t *self = arg;
    ssize_t n = weft_gunzip_read (self->source, &self->raw);
    if (n < 0)
        archive_set_error (archive, errno, "%s", strerror (errno));
    self->raw_size = n < 0 ? 0 : (size_t)n;
    self->raw_fed += self->raw_size;
    *data = self->raw;
    return n;
}

static bool
are_zeros (const uint8_t *data, size_t size)
{
    return !size || (!data[0] && !memcmp (data, data + 1, size - 1));
}

//  No more comes, for this reason, if not for the end.
static void
end_for (weft_bundle_t *self, const char *why)
{
    const char *fault = weft_gunzip_fault (self->source);
    self->all = true;
    if (fault || why)
        snprintf (self->fault, sizeof (self->fault), "%s", fault ? fault : why);
}

//  What libarchive leaves behind compressed bytes, as it is none of them. Zeros
//  only fill up.
static void
end_bytes (weft_bundle_t *self)
{
    const void *data;
    char why[80];
    if (archive_filter_count (self->packed) < 2) {
        end_for (self, NULL);
        return;
    }
    uint64_t used = (uint64_t)archive_filter_bytes (self->packed, -1);
    size_t left =
        (size_t)WEFT_MIN (self->raw_fed - used, (uint64_t)self->raw_size);
    bool zeros = are_zeros (self->raw + self->raw_size - left, left);
    while (feed_raw (self->packed, self, &data) > 0)
        zeros &= are_zeros (self->raw, self->raw_size);
    snprintf (why, sizeof (why),
              "%llu bytes behind the compressed data are not read",
              (unsigned long long)(self->raw_fed - used));
    end_for (self, zeros ? NULL : why);
}

static int
make_room (weft_bundle_t *self, size_t size)
{
    if (self->start && self->start >= self->size - self->start) {
        memmove (self->data, self->data + self->start,
                 self->size - self->start);
        self->size -= self->start;
        self->start = 0;
    }
    if (self->size + size <= self->room)
        return 0;
    size_t room = WEFT_MAX (2 * self->room, self->size + size + CHUNK);
    uint8_t *moved = realloc (self->data, room);
    if (!moved)
        return WEFT_ENOMEM;
    self->data = moved;
    self->room = room;
    return 0;
}

//  Reads on. False: no more comes.
static bool
more (weft_bundle_t *self)
{
    const void *data;
    size_t size = 0;
    la_int64_t offset;
    if (self->all)
        return false;
    int rc = archive_read_data_block (self->packed, &data, &size, &offset);
    if (rc == ARCHIVE_EOF) {
        end_bytes (self);
        return false;
    }
    const char *why = rc != ARCHIVE_OK && rc != ARCHIVE_WARN
                          ? archive_error_string (self->packed)
                      : make_room (self, size) ? "out of memory"
                                               : NULL;
    if (why) {
        end_for (self, why);
        return false;
    }
    if (size)
        memcpy (self->data + self->size, data, size);
    self->size += size;
    return true;
}

//  So many bytes, or all that there are.
static size_t
look (weft_bundle_t *self, size_t size)
{
    while (self->size - self->start < size && more (self))
        continue;
    return self->size - self->start;
}

static void
skip_zeros (weft_bundle_t *self)
{
    size_t size = look (self, ZEROS);
    for (size_t i = 0; i < ZEROS; i++)
        if (size < ZEROS || self->data[self->start + i])
            return;
    while (look (self, 1) && !self->data[self->start])
        while (self->start < self->size && !self->data[self->start])
            self->start++;
}

//  Leaves out what comes before the next container, which begins `from` bytes
//  from here or later. How many bytes that is.
static uint64_t
leave_out (weft_bundle_t *self, size_t from)
{
    uint64_t left = 0;
    for (;;) {
        size_t size = look (self, from + 4);
        size_t at = weft_container_find (self->data + self->start, from, size);
        bool found = at < size;
        //  Its magic may have begun.
        if (!found && !self->all)
            at = size - 3;
        self->start += at;
        left += at;
        from = 0;
        if (found || self->all)
            return left;
    }
}

//  --- tar archives

//  What the tar archive has used goes.
static void
keep_up (weft_bundle_t *self)
{
    uint64_t taken = (uint64_t)archive_filter_bytes (self->tar, -1);
    self->start += (size_t)(taken - self->taken);
    self->taken = taken;
}

static la_ssize_t
feed_tar (struct archive *archive, void *arg, const void **data)
{
    weft_bundle_t *self = arg;
    (void)archive;
    keep_up (self);
    //  It has a copy of what it was given and has not used.
    size_t held = (size_t)(self->fed - self->taken);
    size_t size = look (self, held + 1) - held;
    *data = self->data + self->start + held;
    self->fed += size;
    return (la_ssize_t)size;
}

static void
close_tar (weft_bundle_t *self)
{
    keep_up (self);
    archive_read_free (self->tar);
    self->tar = NULL;
}

//  So many bytes from here.
static bool
is_tar (weft_bundle_t *self, size_t at)
{
    return look (self, at + TAR_BLOCK) >= at + TAR_BLOCK &&
           weft_tar_head_is (self->data + self->start + at);
}

//  A message that cannot be read.
static bool
tell (weft_bundle_t *self, weft_piece_t *piece, const char *why)
{
    if (why != self->why)
        snprintf (self->why, sizeof (self->why), "%s", why);
    *piece = (weft_piece_t){ .why = self->why };
    return true;
}

//  The tar archive is damaged: one message for it, up to the next container.
static bool
give_up_tar (weft_bundle_t *self, weft_piece_t *piece)
{
    char why[WEFT_INPUT_WHY];
    const char *text = archive_error_string (self->tar);
    snprintf (why, sizeof (why), "%s",
              *self->fault ? self->fault
              : text       ? text
                           : "tar archive: damaged");
    close_tar (self);
    uint64_t left = leave_out (self, 0);
    if (left)
        snprintf (self->why, sizeof (self->why),
                  "%s; %llu bytes%s are not read", why,
                  (unsigned long long)left,
                  self->start < self->size ? " up to the next container" : "");
    else
        snprintf (self->why, sizeof (self->why), "%s", why);
    *self->fault = '\0';
    tell (self, piece, self->why);
    piece->entry = *self->name ? self->name : NULL;
    return true;
}

static bool
open_tar (weft_bundle_t *self, weft_piece_t *piece)
{
    self->fed = self->taken = 0;
    *self->name = '\0';
    self->tar = archive_read_new ();
    if (!self->tar) {
        self->start = self->size;
        self->all = true;
        return tell (self, piece, "out of memory");
    }
    archive_read_support_format_tar (self->tar);
    if (archive_read_open (self->tar, self, NULL, feed_tar, NULL) != ARCHIVE_OK)
        return give_up_tar (self, piece);
    return false;
}

//  Reads the current entry whole. WEFT_ETOOBIG: the next one can be read.
static int
read_entry (weft_bundle_t *self)
{
    self->entry_size = 0;
    for (;;) {
        if (self->entry_size + CHUNK > self->entry_room) {
            size_t room = WEFT_MAX (2 * self->entry_room, (size_t)4 * CHUNK);
            uint8_t *moved = realloc (self->entry, room);
            if (!moved)
                return WEFT_ENOMEM;
            self->entry = moved;
            self->entry_room = room;
        }
        la_ssize_t n = archive_read_data (
            self->tar, self->entry + self->entry_size, CHUNK);
        if (n < 0)
            return WEFT_EMALFORMED;
        self->entry_size += (size_t)n;
        if (self->entry_size > WEFT_MESSAGE_MOST)
            return WEFT_ETOOBIG;
        if (!n)
            return 0;
    }
}

static bool
is_wanted (const char *name, struct archive_entry *entry)
{
    const char *slash = name ? strrchr (name, '/') : NULL;
    return name && archive_entry_filetype (entry) == AE_IFREG &&
           *(slash ? slash + 1 : name) != '.';
}

//  The next regular entry. False: the archive has ended.
static bool
next_entry (weft_bundle_t *self, weft_piece_t *piece)
{
    struct archive_entry *entry;
    for (;;) {
        *self->name = '\0';
        int rc = archive_read_next_header (self->tar, &entry);
        if (rc == ARCHIVE_EOF) {
            close_tar (self);
            return false;
        }
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return give_up_tar (self, piece);
        const char *name = archive_entry_pathname (entry);
        if (!is_wanted (name, entry))
            continue;
        snprintf (self->name, sizeof (self->name), "%s", name);
        rc = read_entry (self);
        if (rc && rc != WEFT_ETOOBIG)
            return give_up_tar (self, piece);
        if (rc)
            tell (self, piece, "larger than a message may be");
        else
            *piece =
                (weft_piece_t){ .data = self->entry, .size = self->entry_size };
        piece->entry = self->name;
        return true;
    }
}

//  --- containers, and what is none

//  Steps over the container that begins here, as far as it is one. True: *size
//  bytes are it; else no other begins within them.
static bool
walk_container (weft_bundle_t *self, size_t *size)
{
    weft_container_walk_t walk = { 0 };
    weft_walk_t found;
    do {
        found = weft_container_walk (&walk, self->data + self->start,
                                     self->size - self->start, self->all);
    } while (found == WEFT_WALK_MORE &&
             self->size - self->start <= WEFT_MESSAGE_MOST &&
             (more (self) || self->all));
    *size = found == WEFT_WALK_END || walk.blocks ? walk.at : 1;
    return found == WEFT_WALK_END || (walk.blocks && is_tar (self, walk.at));
}

//  Bytes of the message that begins here; 0: it is larger than one may be.
static size_t
plain_size (weft_bundle_t *self)
{
    size_t from = 1;
    bool framed = !self->data[self->start];
    if (weft_avro_container_is (self->data + self->start, look (self, 4)) &&
        walk_container (self, &from))
        return from > WEFT_MESSAGE_MOST ? 0 : from;
    for (;;) {
        size_t size = self->size - self->start, end = size;
        if (!framed)
            end = weft_container_find (self->data + self->start, from, size);
        if (end > WEFT_MESSAGE_MOST)
            return 0;
        if (end < size || !more (self))
            return end;
        from = WEFT_MAX (from, size - WEFT_MIN (size, (size_t)3));
    }
}

static bool
next_plain (weft_bundle_t *self, weft_piece_t *piece)
{
    size_t size = plain_size (self);
    if (!size) {
        uint64_t left = leave_out (self, 1);
        snprintf (self->why, sizeof (self->why),
                  "larger than a message may be (%u MiB): %llu bytes%s are not "
                  "read",
                  WEFT_MESSAGE_MOST >> 20, (unsigned long long)left,
                  self->start < self->size ? " up to the next container" : "");
        return tell (self, piece, self->why);
    }
    self->given = size;
    *piece = (weft_piece_t){ .data = self->data + self->start, .size = size };
    return true;
}

//  The bytes have ended for a reason, and what is left of them is none of a
//  container and less than a tar archive's first header: it has no other message.
static bool
tell_fault (weft_bundle_t *self, weft_piece_t *piece)
{
    size_t size = look (self, TAR_BLOCK);
    if (size >= TAR_BLOCK || !*self->fault ||
        weft_avro_container_is (self->data + self->start, size))
        return false;
    self->start = self->size;
    tell (self, piece, self->fault);
    *self->fault = '\0';
    return true;
}

bool
weft_bundle_next (weft_bundle_t *self, weft_piece_t *piece)
{
    self->start += self->given;
    self->given = 0;
    for (;;) {
        if (self->tar) {
            if (next_entry (self, piece))
                return true;
            continue;
        }
        skip_zeros (self);
        if (tell_fault (self, piece))
            return true;
        size_t size = look (self, 4);
        if (!size)
            return false;
        if (weft_avro_container_is (self->data + self->start, size) ||
            !is_tar (self, 0))
            return next_plain (self, piece);
        if (open_tar (self, piece))
            return true;
    }
}

//  What breaks off in its first bytes is a message, as what does later.
static void
open_packed (weft_bundle_t *self)
{
    struct archive_entry *entry;
    archive_read_support_filter_all (self->packed);
    archive_read_support_format_raw (self->packed);
    archive_read_support_format_empty (self->packed);
    int rc = archive_read_open (self->packed, self, NULL, feed_raw, NULL);
    if (rc == ARCHIVE_OK || rc == ARCHIVE_WARN)
        rc = archive_read_next_header (self->packed, &entry);
    if (rc == ARCHIVE_EOF)
        end_bytes (self);
    else if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
        end_for (self, archive_error_string (self->packed));
}

weft_bundle_t *
weft_bundle_new (int fd, char why[WEFT_INPUT_WHY])
{
    weft_bundle_t *self = calloc (1, sizeof (*self));
    if (self) {
        self->source = weft_gunzip_new (fd);
        self->packed = archive_read_new ();
    }
    if (!self || !self->source || !self->packed) {
        snprintf (why, WEFT_INPUT_WHY, "out of memory");
        weft_bundle_destroy (&self);
        return NULL;
    }
    open_packed (self);
    return self;
}

void
weft_bundle_destroy (weft_bundle_t **self_p)
{
    weft_bundle_t *self = *self_p;
    if (!self)
        return;
    if (self->tar)
        archive_read_free (self->tar);
    if (self->packed)
        archive_read_free (self->packed);
    weft_gunzip_destroy (&self->source);
    free (self->data);
    free (self->entry);
    free (self);
    *self_p = NULL;
}
