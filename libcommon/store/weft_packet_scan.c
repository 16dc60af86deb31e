//  weft_packet_scan.c - reads a segment through one buffer.

#include "weft_packet_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1u << 20)
#define FILES_MOST (1u << 20)
#define STEP 8                  //  records begin at multiples
#define VAIN_MOST (512u << 20)  //  bytes hashed of records that are not whole

struct weft_packet_scan {
    int fd;
    uint32_t segment;
    uint64_t owner;
    uint64_t at;    //  of the next record in the file
    uint8_t *data;  //  of the file, from `at - first` on
    size_t first;   //  place of the next record in the buffer
    size_t size, room;
    uint64_t end;   //  of the file when damage was met
    uint64_t vain;  //  bytes hashed of records that were not whole
};

//  Bytes until there are `size` behind `first`, or the file ends.
static int
fill (weft_packet_scan_t *self, size_t size)
{
    size_t have = self->size - self->first;
    if (self->first && have)
        memmove (self->data, self->data + self->first, have);
    self->first = 0;
    self->size = have;
    size = WEFT_MAX (size, (size_t)CHUNK);
    if (size > self->room) {
        uint8_t *moved = realloc (self->data, size);
        if (!moved)
            return WEFT_ENOMEM;
        self->data = moved;
        self->room = size;
    }
    while (self->size < size) {
        ssize_t got = pread (self->fd, self->data + self->size,
                             size - self->size, (off_t)(self->at + self->size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return WEFT_EIO;
        if (!got)
            return 0;
        self->size += (size_t)got;
    }
    return 0;
}

static int
read_head (weft_packet_scan_t *self, const char *path)
{
    const char *slash = strrchr (path, '/');
    int rc = fill (self, CHUNK);
    if (!rc)
        rc = weft_packet_segment_parse (self->data, self->size, &self->segment,
                                        &self->owner);
    if (rc == WEFT_EMALFORMED) {
        self->segment = weft_packet_segment_of (slash ? slash + 1 : path);
        return self->segment ? 0 : rc;
    }
    self->first = self->at = WEFT_PACKET_HEAD;
    return rc;
}

weft_packet_scan_t *
weft_packet_scan_new (const char *path, int *rc)
{
    weft_packet_scan_t *self = calloc (1, sizeof (*self));
    *rc = WEFT_ENOMEM;
    if (!self)
        return NULL;
    self->fd = open (path, O_RDONLY | O_CLOEXEC);
    *rc = self->fd >= 0     ? read_head (self, path)
          : errno == ENOENT ? WEFT_ENOENT
                            : WEFT_EIO;
    if (*rc)
        weft_packet_scan_destroy (&self);
    return self;
}

void
weft_packet_scan_destroy (weft_packet_scan_t **self_p)
{
    weft_packet_scan_t *self = *self_p;
    if (!self)
        return;
    if (self->fd >= 0)
        close (self->fd);
    free (self->data);
    free (self);
    *self_p = NULL;
}

int
weft_packet_scan_next (weft_packet_scan_t *self, weft_packet_record_t *record)
{
    for (size_t need = 0;;) {
        size_t have = self->size - self->first;
        int rc = weft_packet_parse (self->data + self->first, have,
                                    self->segment, self->at, record);
        if (!rc) {
            self->first += record->bytes;
            self->at += record->bytes;
            return 1;
        }
        size_t wanted = WEFT_MAX (record->bytes, (size_t)WEFT_PACKET_HEAD);
        if (rc != WEFT_ETRUNCATED || wanted == need)
            return rc == WEFT_ETRUNCATED && !have ? 0 : rc;
        need = wanted;
        rc = fill (self, need);
        if (rc)
            return rc;
    }
}

//  Does a record begin here whose header and topic are those of its sum? 1, 0.
static int
begins (const weft_packet_scan_t *self)
{
    const uint8_t *head = self->data + self->first;
    uint8_t text[WEFT_PACKET_TOPIC_MOST];
    size_t topic, size, got = 0;
    size_t bytes = weft_packet_head_bytes (head, &topic, &size);
    if (!bytes || self->at + bytes > self->end)
        return 0;
    while (got < size) {
        ssize_t more = pread (self->fd, text + got, size - got,
                              (off_t)(self->at + topic + got));
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return more ? WEFT_EIO : 0;
        got += (size_t)more;
    }
    return weft_packet_head_check (head, text, size) ? 0 : 1;
}

//  Goes on to the next such place. Only headers are looked at: a record may be
//  64 MB, and each of its bytes may be made to look like the start of another.
static int
find_head (weft_packet_scan_t *self)
{
    for (;;) {
        while (self->size - self->first >= WEFT_PACKET_HEAD) {
            int rc = begins (self);
            if (rc)
                return rc;
            self->first += STEP;
            self->at += STEP;
        }
        int rc = fill (self, CHUNK);
        if (rc || self->size < WEFT_PACKET_HEAD)
            return rc;
    }
}

//  Is the record that begins here whole? 1, 0. The scan stays.
static int
is_whole (weft_packet_scan_t *self)
{
    weft_packet_record_t record;
    if (self->vain >= VAIN_MOST)
        return 1;
    int rc = weft_packet_scan_next (self, &record);
    bool whole = rc == 1 && !weft_packet_check (&record);
    if (rc == 1) {
        self->first -= record.bytes;
        self->at -= record.bytes;
    }
    if (!whole)
        self->vain += record.bytes;
    return rc == WEFT_EIO || rc == WEFT_ENOMEM ? rc : whole;
}

int
weft_packet_scan_resume (weft_packet_scan_t *self)
{
    struct stat info;
    uint64_t start = self->at;
    int rc;
    if (fstat (self->fd, &info))
        return WEFT_EIO;
    self->end = (uint64_t)info.st_size;
    while ((rc = find_head (self)) == 1) {
        rc = is_whole (self);
        if (rc)
            return rc;
        self->first += STEP;
        self->at += STEP;
    }
    if (!rc) {
        self->at = start;
        self->first = self->size = 0;
    }
    return rc;
}

uint64_t
weft_packet_scan_at (const weft_packet_scan_t *self)
{
    return self->at;
}

uint32_t
weft_packet_scan_segment (const weft_packet_scan_t *self)
{
    return self->segment;
}

uint64_t
weft_packet_scan_owner (const weft_packet_scan_t *self)
{
    return self->owner;
}

static int
compare_files (const void *x, const void *y)
{
    const weft_packet_file_t *a = x, *b = y;
    if (a->changed_us != b->changed_us)
        return a->changed_us < b->changed_us ? -1 : 1;
    return a->segment < b->segment ? -1 : a->segment > b->segment;
}

static int
add_file (weft_packet_file_t **files, size_t *n, int folder, const char *name)
{
    struct stat info;
    uint32_t segment = weft_packet_segment_of (name);
    if (!segment || fstatat (folder, name, &info, 0) || !S_ISREG (info.st_mode))
        return 0;
    if (*n == FILES_MOST)
        return WEFT_ETOOBIG;
    if ((*n & (*n - 1)) == 0) {
        size_t room = *n ? 2 * *n : 1;
        weft_packet_file_t *moved = realloc (*files, room * sizeof (**files));
        if (!moved)
            return WEFT_ENOMEM;
        *files = moved;
    }
    (*files)[(*n)++] = (weft_packet_file_t){
        .segment = segment,
        .bytes = (uint64_t)info.st_size,
        .changed_us = (int64_t)info.st_mtim.tv_sec * 1000000 +
                      info.st_mtim.tv_nsec / 1000,
    };
    return 0;
}

int
weft_packet_files (const char *folder, weft_packet_file_t **files, size_t *n)
{
    *files = NULL;
    *n = 0;
    DIR *dir = opendir (folder);
    if (!dir)
        return errno == ENOENT ? WEFT_ENOENT : WEFT_EIO;
    int rc = 0;
    struct dirent *entry;
    while (!rc && (entry = readdir (dir)))
        rc = add_file (files, n, dirfd (dir), entry->d_name);
    closedir (dir);
    if (*n > 1)
        qsort (*files, *n, sizeof (**files), compare_files);
    if (rc) {
        free (*files);
        *files = NULL;
        *n = 0;
    }
    return rc;
}
