//  weft_record.c - what filters saw, written.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft_filter_view.h"
#include "weft_hash.h"
#include "weft_record.h"
#include "weft_record_parts.h"

#define SEGMENT (32 << 20)     //  bytes of a segment before the next is begun
#define BATCH_MOST (64 << 20)  //  bytes of one flush

struct weft_record {
    char folder[PATH_MAX - 64];
    int64_t bytes;
    int32_t nights, newest;
    uint32_t first, last;  //  segments that are there
    int seg, idx;          //  of the last one, -1: none
    int64_t at;            //  bytes in it
    weft_buf_t data, index;
    uint32_t added;  //  since the last flush
};

uint32_t
weft_record_survey (weft_str_t survey)
{
    return (uint32_t)weft_hash (survey.p, survey.n);
}

void
weft_record_path (const char *folder,
                  uint32_t segment,
                  const char *end,
                  char *out)
{
    snprintf (out, PATH_MAX, "%s/%08u.%s", folder, segment, end);
}

static void
close_segment (weft_record_t *self)
{
    if (self->seg >= 0)
        close (self->seg);
    if (self->idx >= 0)
        close (self->idx);
    self->seg = self->idx = -1;
}

static int
open_end (const char *folder, uint32_t segment, const char *end, int64_t *size)
{
    char path[PATH_MAX];
    struct stat status;
    weft_record_path (folder, segment, end, path);
    int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd >= 0 && !fstat (fd, &status))
        *size = status.st_size;
    return fd;
}

//  Goes on with the last segment. Bytes that no index knows are left there; a
//  torn entry of the index is cut off.
static int
open_segment (weft_record_t *self)
{
    int64_t indexed = 0;
    self->seg = open_end (self->folder, self->last, "seg", &self->at);
    self->idx = open_end (self->folder, self->last, "idx", &indexed);
    if (self->seg < 0 || self->idx < 0 ||
        (indexed % WEFT_RECORD_ENTRY &&
         ftruncate (self->idx, indexed - indexed % WEFT_RECORD_ENTRY))) {
        close_segment (self);
        return WEFT_EDOWN;
    }
    return 0;
}

static int
find_segments (weft_record_t *self)
{
    DIR *folder = opendir (self->folder);
    if (!folder)
        return WEFT_EDOWN;
    for (struct dirent *one; (one = readdir (folder));) {
        char *end;
        unsigned long n = strtoul (one->d_name, &end, 10);
        if (end != one->d_name + 8 || strcmp (end, ".seg") != 0)
            continue;
        self->first =
            self->first ? WEFT_MIN (self->first, (uint32_t)n) : (uint32_t)n;
        self->last = WEFT_MAX (self->last, (uint32_t)n);
    }
    closedir (folder);
    if (!self->last)
        self->first = self->last = 1;
    return 0;
}

int
weft_record_open (weft_record_t **out,
                  const char *folder,
                  int64_t bytes,
                  int32_t nights,
                  char *why,
                  size_t room)
{
    *out = NULL;
    weft_record_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    self->seg = self->idx = -1;
    self->bytes = bytes;
    self->nights = nights;
    self->newest = INT32_MIN;
    weft_buf_init (&self->data, BATCH_MOST);
    weft_buf_init (&self->index, BATCH_MOST);
    int rc = snprintf (self->folder, sizeof self->folder, "%s", folder) <
                     (int)sizeof self->folder
                 ? 0
                 : WEFT_EDOWN;
    if (!rc && mkdir (folder, 0750) && errno != EEXIST)
        rc = WEFT_EDOWN;
    rc = rc ? rc : find_segments (self);
    rc = rc ? rc : open_segment (self);
    if (rc) {
        snprintf (why, room, "record %s: %s", folder, strerror (errno));
        weft_record_close (&self);
    }
    *out = self;
    return rc;
}

void
weft_record_limit (weft_record_t *self, int64_t bytes, int32_t nights)
{
    self->bytes = bytes;
    self->nights = nights;
}

void
weft_record_close (weft_record_t **self_p)
{
    weft_record_t *self = *self_p;
    if (!self)
        return;
    close_segment (self);
    weft_buf_fini (&self->data);
    weft_buf_fini (&self->index);
    free (self);
    *self_p = NULL;
}

static int
write_all (int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t n = write (fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return WEFT_EDOWN;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int
weft_record_filters (weft_record_t *self,
                     uint64_t version,
                     const weft_buf_t *json)
{
    char path[PATH_MAX], made[PATH_MAX];
    snprintf (path, sizeof path, "%s/%016llx.json", self->folder,
              (unsigned long long)version);
    snprintf (made, sizeof made, "%s/%016llx.new", self->folder,
              (unsigned long long)version);
    if (!access (path, F_OK))
        return 0;
    int fd = open (made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return WEFT_EDOWN;
    int rc = write_all (fd, json->data, json->size);
    close (fd);
    return rc || rename (made, path) ? WEFT_EDOWN : 0;
}

//  The envelope and what filters may see, in weft_alert_flatten's form: neither
//  other stages' sections nor our own effect.
static void
add_seen (const weft_alert_t *alert, weft_buf_t *out)
{
    uint32_t count = 0;
    uint8_t number[4];
    size_t at = out->size;
    weft_buf_grow (out, sizeof number);
    for (size_t i = 0; i < weft_alert_frames (alert); i++) {
        const weft_frame_t *frame = weft_alert_frame (alert, i);
        if (i > 0 && !weft_filter_view_reads (frame))
            continue;
        weft_put_u32 (number, (uint32_t)weft_frame_size (frame));
        weft_buf_add (out, number, sizeof number);
        weft_buf_add (out, weft_frame_data (frame), weft_frame_size (frame));
        count++;
    }
    weft_put_u32 (number, count);
    if (!out->error)
        memcpy (out->data + at, number, sizeof number);
}

void
weft_record_add (weft_record_t *self,
                 const weft_alert_t *alert,
                 uint64_t version,
                 const uint8_t *said,
                 uint32_t n)
{
    const weft_envelope_v1_t *envelope = weft_alert_envelope (alert);
    size_t start = self->data.size;
    add_seen (alert, &self->data);
    weft_record_entry_t entry = {
        .alert_id = envelope->alert_id,
        .night = envelope->night,
        .survey = weft_record_survey (envelope->survey),
        .version = version,
        .offset = (uint64_t)self->at + start,
        .size = (uint32_t)(self->data.size - start),
        .filters = (uint16_t)n,
    };
    weft_buf_add (&self->data, said, n);
    uint8_t *bytes = weft_buf_grow (&self->index, WEFT_RECORD_ENTRY);
    if (bytes)
        weft_record_put (&entry, bytes);
    self->newest = WEFT_MAX (self->newest, entry.night);
    self->added++;
}

static void
delete_segment (const weft_record_t *self, uint32_t segment)
{
    char path[PATH_MAX];
    weft_record_path (self->folder, segment, "idx", path);
    unlink (path);
    weft_record_path (self->folder, segment, "seg", path);
    unlink (path);
}

//  Is everything in a segment older than the nights that are kept? Its last
//  entry says so: nights hardly overlap.
static bool
is_old (const weft_record_t *self, uint32_t segment)
{
    char path[PATH_MAX];
    uint8_t bytes[WEFT_RECORD_ENTRY];
    weft_record_entry_t entry;
    weft_record_path (self->folder, segment, "idx", path);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? -1 : lseek (fd, 0, SEEK_END);
    bool known = end >= WEFT_RECORD_ENTRY &&
                 pread (fd, bytes, sizeof bytes,
                        end - end % WEFT_RECORD_ENTRY - WEFT_RECORD_ENTRY) ==
                     WEFT_RECORD_ENTRY;
    if (fd >= 0)
        close (fd);
    if (!known)
        return true;
    weft_record_get (bytes, &entry);
    return entry.night <= self->newest - self->nights;
}

//  The next segment; old ones go.
static int
turn_over (weft_record_t *self)
{
    close_segment (self);
    self->last++;
    uint32_t most = (uint32_t)WEFT_MAX (self->bytes / SEGMENT, 1);
    while (self->first < self->last &&
           (self->last - self->first + 1 > most || is_old (self, self->first)))
        delete_segment (self, self->first++);
    return open_segment (self);
}

static int
write_out (weft_record_t *self)
{
    int rc = self->data.error ? self->data.error : self->index.error;
    if (!rc && self->seg < 0)
        rc = WEFT_EDOWN;
    if (!rc)
        rc = write_all (self->seg, self->data.data, self->data.size);
    if (!rc)
        rc = write_all (self->idx, self->index.data, self->index.size);
    self->at += (int64_t)self->data.size;
    //  After a failure nobody knows how far it got: a new segment.
    if (rc || self->at >= SEGMENT) {
        int turned = turn_over (self);
        rc = rc ? rc : turned;
    }
    return rc;
}

int
weft_record_flush (weft_record_t *self, uint64_t *lost)
{
    if (self->added == 0)
        return 0;
    int rc = write_out (self);
    *lost += rc ? self->added : 0;
    self->added = 0;
    weft_buf_clear (&self->data);
    weft_buf_clear (&self->index);
    return rc;
}
