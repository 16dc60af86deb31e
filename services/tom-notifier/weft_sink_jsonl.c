//  weft_sink_jsonl.c - JSON lines in a file, each key exactly once.
//
//  A batch is appended by one write and one fsync. If that fails half-way the
//  file is cut back to where it was, so that it never holds half a batch. After
//  a crash a torn last line is cut off, and the file's last lines say which
//  rows of the unfinished batches are in it: each line begins with its key.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "weft_buf.h"
#include "weft_log.h"
#include "weft_sink.h"

#define LINE_MOST (1u << 20)     //  a longer last line is none of ours
#define BATCH_MOST (256u << 20)  //  bytes of one batch
#define TAIL_SLACK 256           //  lines looked at beyond the rows asked for
#define CHUNK 65536              //  bytes read at a time, backwards

static const char key_begin[] = "{\"key\":\"";

typedef struct {
    char *pattern;        //  the path as configured
    char path[PATH_MAX];  //  of the file that is open
    int fd;               //  -1: none
    bool torn;            //  a failed write could not be undone
    weft_buf_t batch;
} jsonl_t;

static int
open_sink (void **self_p,
           const weft_sink_option_t *option,
           char *why,
           size_t room)
{
    if (!option->path || !*option->path ||
        strlen (option->path) > PATH_MAX - 16) {
        snprintf (why, room, "a path is expected");
        return WEFT_ECONFIG;
    }
    jsonl_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    self->fd = -1;
    self->pattern = strdup (option->path);
    weft_buf_init (&self->batch, BATCH_MOST);
    if (!self->pattern) {
        free (self);
        return WEFT_ENOMEM;
    }
    *self_p = self;
    return 0;
}

static void
close_file (jsonl_t *self)
{
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
}

static void
close_sink (void **self_p)
{
    jsonl_t *self = *self_p;
    if (!self)
        return;
    close_file (self);
    weft_buf_fini (&self->batch);
    free (self->pattern);
    free (self);
    *self_p = NULL;
}

//  The file that a row belongs to. It follows from the row, not from the
//  clock, so that a row is looked for where it was written.
static void
path_of (const jsonl_t *self, const weft_row_t *row, char *out, size_t room)
{
    const char *mark = strstr (self->pattern, "{day}");
    if (!mark) {
        snprintf (out, room, "%s", self->pattern);
        return;
    }
    time_t seconds = (time_t)row->created;
    struct tm day;
    gmtime_r (&seconds, &day);
    char text[16];
    strftime (text, sizeof text, "%Y%m%d", &day);
    snprintf (out, room, "%.*s%s%s", (int)(mark - self->pattern), self->pattern,
              text, mark + strlen ("{day}"));
}

//  A new file's name is durable only when its folder is.
static int
sync_folder (const char *path)
{
    char folder[PATH_MAX];
    snprintf (folder, sizeof folder, "%s", path);
    char *slash = strrchr (folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    else
        snprintf (folder, sizeof folder, ".");
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return WEFT_EIO;
    int rc = fsync (fd) ? WEFT_EIO : 0;
    close (fd);
    return rc;
}

//  Where the last whole line ends; -1 if it cannot be told.
static off_t
last_line_end (int fd, off_t size)
{
    static char chunk[CHUNK];
    off_t at = size;
    while (at > 0 && size - at <= (off_t)LINE_MOST) {
        off_t from = at > CHUNK ? at - CHUNK : 0;
        ssize_t n = pread (fd, chunk, (size_t)(at - from), from);
        if (n != at - from)
            return -1;
        for (ssize_t i = n; i-- > 0;)
            if (chunk[i] == '\n')
                return from + i + 1;
        at = from;
    }
    return at == 0 ? 0 : -1;
}

//  Cuts off what a crash or a full disk left of a line.
static int
repair (jsonl_t *self)
{
    struct stat status;
    if (fstat (self->fd, &status) || !S_ISREG (status.st_mode))
        return WEFT_EIO;
    off_t end = last_line_end (self->fd, status.st_size);
    if (end < 0)
        return WEFT_EIO;
    if (end == status.st_size)
        return 0;
    weft_log (WEFT_WARN, "SINK-TORN-LINE", "%s: %lld bytes cut off", self->path,
              (long long)(status.st_size - end));
    return ftruncate (self->fd, end) || fsync (self->fd) ? WEFT_EIO : 0;
}

//  Opens the file, unless it is open and still the one of that name.
static int
use_file (jsonl_t *self, const char *path)
{
    struct stat ours, named;
    if (self->fd >= 0 && !self->torn && !strcmp (path, self->path) &&
        !fstat (self->fd, &ours) && !stat (path, &named) &&
        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
        return 0;
    close_file (self);
    snprintf (self->path, sizeof self->path, "%s", path);
    self->fd = open (path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (self->fd < 0)
        return WEFT_EIO;
    int rc = sync_folder (path);
    if (!rc)
        rc = repair (self);
    self->torn = rc != 0;
    if (rc)
        close_file (self);
    return rc;
}

static int
write_all (int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write (fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

//  Appends the batch durably; the error number if not. Then the file is as
//  before, or self->torn is set.
static int
append (jsonl_t *self)
{
    struct stat before;
    if (fstat (self->fd, &before))
        return errno;
    int error = write_all (self->fd, self->batch.data, self->batch.size);
    if (!error && fdatasync (self->fd))
        error = errno;
    if (error && (ftruncate (self->fd, before.st_size) || fsync (self->fd)))
        self->torn = true;
    return error;
}

static void
answer_all (weft_answer_t *answers, uint32_t n, weft_sent_t sent, int error)
{
    for (uint32_t i = 0; i < n; i++) {
        answers[i] = (weft_answer_t){ .sent = sent, .status = error };
        if (error)
            snprintf (answers[i].body, sizeof answers[i].body, "%s",
                      strerror (error));
    }
}

//  Rows of one file.
static void
send_run (jsonl_t *self,
          const char *path,
          const weft_row_t *rows,
          uint32_t n,
          weft_answer_t *answers)
{
    errno = 0;
    if (use_file (self, path)) {
        answer_all (answers, n, WEFT_SENT_RETRY, errno ? errno : EIO);
        return;
    }
    weft_buf_clear (&self->batch);
    for (uint32_t i = 0; i < n; i++) {
        weft_buf_add (&self->batch, rows[i].payload, rows[i].payload_size);
        weft_buf_add (&self->batch, "\n", 1);
    }
    int error = self->batch.error ? ENOMEM : append (self);
    answer_all (answers, n,
                !error       ? WEFT_SENT_DONE
                : self->torn ? WEFT_SENT_VERIFY
                             : WEFT_SENT_RETRY,
                error);
}

//  The length of the run of rows that go to the same file as the first.
static uint32_t
run_length (const jsonl_t *self,
            const weft_row_t *rows,
            uint32_t n,
            char *path,
            size_t room)
{
    char other[PATH_MAX];
    path_of (self, &rows[0], path, room);
    if (!strstr (self->pattern, "{day}"))
        return n;
    uint32_t k = 1;
    for (; k < n; k++) {
        path_of (self, &rows[k], other, sizeof other);
        if (strcmp (path, other) != 0)
            break;
    }
    return k;
}

static void
send_rows (void *arg,
           const weft_row_t *rows,
           uint32_t n,
           weft_answer_t *answers)
{
    jsonl_t *self = arg;
    char path[PATH_MAX];
    for (uint32_t i = 0; i < n;) {
        uint32_t k = run_length (self, &rows[i], n - i, path, sizeof path);
        send_run (self, path, &rows[i], k, &answers[i]);
        i += k;
    }
}

//  Reads the file's last `lines` lines (and what is before them in the chunk).
static int
read_tail (int fd, uint32_t lines, weft_buf_t *out)
{
    struct stat status;
    if (fstat (fd, &status))
        return WEFT_EIO;
    off_t from = status.st_size;
    uint32_t found = 0;
    char *chunk = malloc (CHUNK);
    if (!chunk)
        return WEFT_ENOMEM;
    while (from > 0 && found <= lines &&
           status.st_size - from < (off_t)BATCH_MOST) {
        size_t size = (size_t)WEFT_MIN (from, (off_t)CHUNK);
        from -= (off_t)size;
        ssize_t n = pread (fd, chunk, size, from);
        for (ssize_t i = 0; i < n; i++)
            found += chunk[i] == '\n';
        if (n != (ssize_t)size)
            break;
    }
    free (chunk);
    size_t size = (size_t)(status.st_size - from);
    uint8_t *room = size > 0 ? weft_buf_grow (out, size) : NULL;
    if (size > 0 && (!room || pread (fd, room, size, from) != (ssize_t)size))
        return WEFT_EIO;
    return 0;
}

static int
by_text (const void *a, const void *b)
{
    return strcmp (*(const char *const *)a, *(const char *const *)b);
}

//  The keys of the tail's lines, sorted. They point into `tail`, whose bytes
//  are cut into strings. Returns how many; NULL in *keys without memory.
static size_t
find_keys (weft_buf_t *tail, const char ***keys)
{
    size_t n = 0, lines = 1;
    for (size_t i = 0; i < tail->size; i++)
        lines += tail->data[i] == '\n';
    *keys = calloc (lines, sizeof **keys);
    char *at = (char *)tail->data, *end = at + tail->size;
    while (*keys && at && at < end) {
        char *line_end = memchr (at, '\n', (size_t)(end - at));
        size_t size = line_end ? (size_t)(line_end - at) : 0;
        size_t skip = sizeof key_begin - 1;
        char *quote = size > skip && !memcmp (at, key_begin, skip)
                          ? memchr (at + skip, '"', size - skip)
                          : NULL;
        if (quote) {
            *quote = 0;
            (*keys)[n++] = at + skip;
        }
        at = line_end ? line_end + 1 : NULL;
    }
    if (*keys)
        qsort ((void *)*keys, n, sizeof **keys, by_text);
    return n;
}

static int
verify_run (jsonl_t *self,
            const char *path,
            const weft_row_t *rows,
            uint32_t n,
            uint32_t lines,
            weft_answer_t *answers)
{
    weft_buf_t tail;
    const char **keys = NULL;
    size_t count = 0;
    weft_buf_init (&tail, (size_t)BATCH_MOST + CHUNK);
    int rc = use_file (self, path);
    //  Whoever died may have written and not synced.
    if (!rc && fsync (self->fd))
        rc = WEFT_EIO;
    if (!rc)
        rc = read_tail (self->fd, lines + TAIL_SLACK, &tail);
    if (!rc)
        count = find_keys (&tail, &keys);
    if (!rc && !keys)
        rc = WEFT_EIO;
    for (uint32_t i = 0; i < n && !rc; i++) {
        bool there = bsearch (&rows[i].key, (const void *)keys, count,
                              sizeof *keys, by_text);
        answers[i] =
            (weft_answer_t){ .sent = there ? WEFT_SENT_DONE : WEFT_SENT_RETRY };
    }
    free ((void *)keys);
    weft_buf_fini (&tail);
    return rc;
}

static int
verify_rows (void *arg,
             const weft_row_t *rows,
             uint32_t n,
             weft_answer_t *answers)
{
    jsonl_t *self = arg;
    char path[PATH_MAX];
    int rc = 0;
    for (uint32_t i = 0; i < n && !rc;) {
        uint32_t k = run_length (self, &rows[i], n - i, path, sizeof path);
        rc = verify_run (self, path, &rows[i], k, n, &answers[i]);
        i += k;
    }
    return rc;
}

const weft_sink_kind_t weft_sink_jsonl = {
    .kind = "jsonl",
    .backoff_most_ms = 30000,
    .open = open_sink,
    .send = send_rows,
    .verify = verify_rows,
    .close = close_sink,
};
