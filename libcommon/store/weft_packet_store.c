//  weft_packet_store.c - appends packets, and stops when the disk does.

#include "weft_packet_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "weft_log.h"
#include "weft_metrics.h"
#include "weft_packet_number.h"
#include "weft_packet_scan.h"
#include "weft_time.h"

#define LOOK_MS 1000     //  between looks at the disk's room
#define RETAIN_MS 60000  //  between looks for old segments

struct weft_packet_store {
    char *folder;
    weft_packet_store_config_t config;
    weft_packet_number_t number;
    int fd;  //  of the segment that is written, -1: the next begins one
    uint32_t segment;
    uint64_t size;      //  of it
    int64_t opened_ms;  //  when it was begun or found
    int64_t retry_ms;   //  stopped: not tried again before
    int64_t look_ms, retain_ms;
    bool stopped;
    uint64_t skipped;  //  packets since it stopped
    char why[256];
    weft_metric_t *packets_total, *bytes_total, *skipped_total, *stopped_now;
};

static int64_t
now_us (void)
{
    return (int64_t)(weft_time_utc () * 1e6);
}

//  Nothing is stored from now on.
static int
stop (weft_packet_store_t *self, const char *what)
{
    self->retry_ms = weft_time_ms () + WEFT_PACKET_RETRY_MS;
    snprintf (self->why, sizeof (self->why), "%.120s: %.100s", self->folder,
              what);
    if (!self->stopped)
        weft_log (WEFT_ERROR, "STORE-STOPPED",
                  "%s; packets are not stored until there is room again",
                  self->why);
    self->stopped = true;
    weft_metric_set (self->stopped_now, 1);
    return WEFT_EIO;
}

static void
resume (weft_packet_store_t *self)
{
    if (!self->stopped)
        return;
    weft_log (WEFT_INFO, "STORE-RESUMES", "%s; %llu packets were not stored",
              self->folder, (unsigned long long)self->skipped);
    self->stopped = false;
    self->skipped = 0;
    weft_metric_set (self->stopped_now, 0);
}

static void
close_segment (weft_packet_store_t *self)
{
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
}

//  All of it at `at`, or none: what was written of it is cut off again.
static int
write_all (int fd, struct iovec *parts, int n, uint64_t at)
{
    uint64_t start = at;
    while (n > 0) {
        ssize_t put = pwritev (fd, parts, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            int error = put ? errno : ENOSPC;
            (void)!ftruncate (fd, (off_t)start);
            errno = error;
            return WEFT_EIO;
        }
        at += (uint64_t)put;
        size_t done = (size_t)put;
        for (; n > 0 && done >= parts->iov_len; n--)
            done -= parts++->iov_len;
        if (n > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + done;
            parts->iov_len -= done;
        }
    }
    return 0;
}

static uint32_t
next_segment (const weft_packet_store_t *self)
{
    uint32_t count = self->segment & WEFT_PACKET_SEGMENTS;
    count = count == WEFT_PACKET_SEGMENTS ? 1 : count + 1;
    return self->number.number << 20 | count;
}

//  Begins the next segment. One that is in the way (the count has come round)
//  is stepped over.
static int
begin_segment (weft_packet_store_t *self)
{
    char path[WEFT_PACKET_PATH];
    uint8_t head[WEFT_PACKET_HEAD];
    close_segment (self);
    for (uint32_t i = 0; i < WEFT_PACKET_SEGMENTS && self->fd < 0; i++) {
        self->segment = next_segment (self);
        weft_packet_path (self->folder, self->segment, path);
        self->fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (self->fd < 0 && errno != EEXIST)
            return WEFT_EIO;
    }
    weft_packet_segment_head (self->segment, self->number.owner, now_us (),
                              head);
    struct iovec part = { head, sizeof (head) };
    int rc = write_all (self->fd, &part, 1, 0);
    if (rc) {
        int error = errno;
        unlink (path);
        close_segment (self);
        errno = error;
    }
    self->size = WEFT_PACKET_HEAD;
    self->opened_ms = weft_time_ms ();
    self->retain_ms = 0;  //  one more: look whether one goes
    return rc;
}

static bool
is_over (const weft_packet_store_t *self, size_t bytes, int64_t now_ms)
{
    return self->fd < 0 || now_ms - self->opened_ms > WEFT_PACKET_ROLL_MS ||
           (self->size > WEFT_PACKET_HEAD &&
            self->size + bytes > self->config.segment_bytes);
}

static int
skip (weft_packet_store_t *self)
{
    self->skipped++;
    weft_metric_add (self->skipped_total, 1);
    return WEFT_EIO;
}

//  A disk that has too little room left is as good as full.
static bool
has_room (weft_packet_store_t *self)
{
    struct statvfs disk;
    if (!self->config.free_bytes || statvfs (self->folder, &disk))
        return true;
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    char what[96];
    snprintf (what, sizeof (what), "%llu MB left on the disk, %llu are kept",
              (unsigned long long)(left / 1000000),
              (unsigned long long)(self->config.free_bytes / 1000000));
    if (left < self->config.free_bytes)
        stop (self, what);
    return left >= self->config.free_bytes;
}

//  May this packet be written? Of a store that has stopped, only now and then.
static bool
may_write (weft_packet_store_t *self, size_t bytes, int64_t now_ms)
{
    if (self->stopped && (now_ms < self->retry_ms || !has_room (self)))
        return false;
    if (!is_over (self, bytes, now_ms) || !begin_segment (self))
        return true;
    stop (self, strerror (errno));
    return false;
}

int
weft_packet_store_append (weft_packet_store_t *self,
                          const weft_packet_t *packet,
                          weft_packet_ref_t *ref)
{
    uint8_t head[WEFT_PACKET_HEAD], tail[WEFT_PACKET_TOPIC_MOST + 8];
    size_t bytes = weft_packet_bytes (packet);
    int64_t now_ms = weft_time_ms ();
    *ref = (weft_packet_ref_t){ 0 };
    if (packet->size > WEFT_PACKET_MOST)
        return WEFT_ETOOBIG;
    if (!may_write (self, bytes, now_ms))
        return skip (self);
    size_t rest = weft_packet_head (packet, head, tail);
    struct iovec parts[] = {
        { head, sizeof (head) },
        { (void *)(uintptr_t)packet->data, packet->size },
        { tail, rest },
    };
    if (write_all (self->fd, parts, 3, self->size)) {
        stop (self, strerror (errno));
        return skip (self);
    }
    resume (self);
    *ref = (weft_packet_ref_t){ .segment = self->segment,
                                .offset = self->size + WEFT_PACKET_HEAD,
                                .length = (uint32_t)packet->size };
    memcpy (ref->sha256_8, packet->sha256_8, 8);
    self->size += bytes;
    weft_metric_add (self->packets_total, 1);
    weft_metric_add (self->bytes_total, (double)bytes);
    return 0;
}

//  A segment that somebody has removed takes nothing any more.
static void
look (weft_packet_store_t *self)
{
    struct stat info;
    if (self->fd >= 0 && (fstat (self->fd, &info) || !info.st_nlink)) {
        weft_log (WEFT_WARN, "STORE-SEGMENT-REMOVED",
                  "%s: segment %08x was removed while it was written",
                  self->folder, (unsigned)self->segment);
        close_segment (self);
    }
}

void
weft_packet_store_beat (weft_packet_store_t *self, int64_t now_ms, bool sure)
{
    if (!self->retain_ms || now_ms - self->retain_ms >= RETAIN_MS ||
        (self->stopped && now_ms >= self->retry_ms)) {
        self->retain_ms = now_ms;
        //  Nothing is written to an old one any more, so it may go as well.
        if (is_over (self, 0, now_ms))
            close_segment (self);
        weft_packet_retain (self->folder, sure ? self->config.keep_days : 0,
                            self->config.keep_bytes, now_us ());
    }
    if (now_ms - self->look_ms < LOOK_MS)
        return;
    self->look_ms = now_ms;
    look (self);
    if (!self->stopped)
        (void)has_room (self);
}

const char *
weft_packet_store_stopped (const weft_packet_store_t *self)
{
    return self->stopped ? self->why : NULL;
}

uint32_t
weft_packet_store_number (const weft_packet_store_t *self)
{
    return self->number.number;
}

//  The newest segment of this store, 0: none.
static int
find_newest (weft_packet_store_t *self)
{
    weft_packet_file_t *files;
    size_t n;
    int rc = weft_packet_files (self->folder, &files, &n);
    for (size_t i = 0; !rc && i < n; i++)
        if (files[i].segment >> 20 == self->number.number)
            self->segment = files[i].segment;
    free (files);
    return rc;
}

//  What the end of a segment is like.
typedef struct {
    uint64_t whole;    //  its packets are whole so far, sums and all
    uint64_t follows;  //  behind that a whole one begins here, 0: nowhere
    bool torn;         //  the record at `whole` is longer than the file
} tail_t;

static int
measure (const char *path, tail_t *tail)
{
    int rc;
    weft_packet_record_t record;
    weft_packet_scan_t *scan = weft_packet_scan_new (path, &rc);
    *tail = (tail_t){ .torn = rc == WEFT_ETRUNCATED };
    if (!scan)
        return tail->torn ? 0 : rc;
    do
        tail->whole = weft_packet_scan_at (scan);
    while ((rc = weft_packet_scan_next (scan, &record)) == 1 &&
           !weft_packet_check (&record));
    tail->torn = rc == WEFT_ETRUNCATED;
    if (rc && rc != WEFT_EIO && rc != WEFT_ENOMEM)
        rc = weft_packet_scan_resume (scan);
    if (rc == 1)
        tail->follows = weft_packet_scan_at (scan);
    weft_packet_scan_destroy (&scan);
    return rc == 1 ? 0 : rc;
}

static int
cut_off (weft_packet_store_t *self,
         const char *path,
         uint64_t size,
         uint64_t at)
{
    weft_log (WEFT_WARN, "STORE-TAIL-CUT", "%s: %llu bytes behind %llu", path,
              (unsigned long long)size - at, (unsigned long long)at);
    if (!at) {
        close_segment (self);
        return unlink (path) && errno != ENOENT ? WEFT_EIO : 0;
    }
    return ftruncate (self->fd, (off_t)at) ? WEFT_EIO : 0;
}

//  Goes on behind the newest segment's last packet. One that a kill has left half
//  written is cut off: nobody was told of it. Whatever else is there was told,
//  and alerts refer to it: a segment that a disk, or a loss of power, has damaged
//  is left as it is, and takes nothing any more.
static int
go_on (weft_packet_store_t *self)
{
    char path[WEFT_PACKET_PATH];
    struct stat info;
    tail_t tail;
    int rc = find_newest (self);
    if (rc || !self->segment)
        return rc;
    weft_packet_path (self->folder, self->segment, path);
    rc = measure (path, &tail);
    if (rc)
        return rc;
    self->fd = open (path, O_RDWR | O_CLOEXEC);
    if (self->fd < 0 || fstat (self->fd, &info))
        return WEFT_EIO;
    self->size = tail.whole;
    self->opened_ms = weft_time_ms ();
    uint64_t size = (uint64_t)info.st_size;
    if (size && size == tail.whole)
        return 0;
    if (tail.torn && !tail.follows)
        return cut_off (self, path, size, tail.whole);
    weft_log (WEFT_ERROR, "STORE-DAMAGED",
              "%s: bytes %llu to %llu of %llu are no whole packet; the segment "
              "stays as it is, the next packet begins another one",
              path, (unsigned long long)tail.whole,
              (unsigned long long)(tail.follows ? tail.follows : size),
              (unsigned long long)size);
    close_segment (self);
    return 0;
}

//  A disk that is full now may have room later; a folder that may not be
//  written is a mistake.
static int
kind_of (int error)
{
    return error == ENOSPC || error == EDQUOT || error == EIO || error == EFBIG
               ? WEFT_EIO
               : WEFT_ECONFIG;
}

//  With the folders above it.
static int
make_folder (const char *folder)
{
    char path[WEFT_PACKET_PATH];
    snprintf (path, sizeof (path), "%s", folder);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir (path, 0750) && errno != EEXIST)
                return WEFT_EIO;
            *p = '/';
        }
    return mkdir (path, 0750) && errno != EEXIST ? WEFT_EIO : 0;
}

static int
open_store (weft_packet_store_t *self,
            weft_redis_t *redis,
            char *why,
            size_t room)
{
    if (strlen (self->folder) > 4000 || make_folder (self->folder)) {
        int error = errno;
        snprintf (why, room, "%.200s: %s", self->folder, strerror (error));
        return kind_of (error);
    }
    int rc =
        weft_packet_number_take (self->folder, redis, &self->number, why, room);
    if (rc)
        return rc;
    rc = go_on (self);
    if (rc)
        snprintf (why, room, "%.200s: the newest segment: %s", self->folder,
                  weft_error_text (rc));
    return rc;
}

static void
open_metrics (weft_packet_store_t *self)
{
    self->packets_total = weft_counter ("weft_store_packets_total", "");
    self->bytes_total = weft_counter ("weft_store_bytes_total", "");
    self->skipped_total = weft_counter ("weft_store_skipped_total", "");
    self->stopped_now = weft_gauge ("weft_store_stopped", "");
}

weft_packet_store_t *
weft_packet_store_new (const weft_packet_store_config_t *config,
                       weft_redis_t *redis,
                       int *rc,
                       char *why,
                       size_t room)
{
    weft_packet_store_t *self = calloc (1, sizeof (*self));
    *rc = WEFT_ENOMEM;
    if (!self)
        return NULL;
    self->fd = -1;
    self->config = *config;
    self->folder = strdup (config->folder);
    open_metrics (self);
    //  A limit on the size of files is an error like a full disk, no signal.
    signal (SIGXFSZ, SIG_IGN);
    if (self->folder)
        *rc = open_store (self, redis, why, room);
    if (*rc)
        weft_packet_store_destroy (&self);
    return self;
}

void
weft_packet_store_destroy (weft_packet_store_t **self_p)
{
    weft_packet_store_t *self = *self_p;
    if (!self)
        return;
    close_segment (self);
    weft_packet_number_release (&self->number);
    free (self->folder);
    free (self);
    *self_p = NULL;
}
