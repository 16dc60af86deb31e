//  weft_log.c - one JSON line per event on stderr.

#include "weft_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "weft_time.h"

static struct {
    char service[32];
    atomic_int level;
} state = { "weft", WEFT_INFO };

void
weft_log_open (void)
{
    int fd;
    do
        fd = open ("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close (fd);
}

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void
weft_log_init (const char *service, weft_level_t level)
{
    snprintf (state.service, sizeof state.service, "%s", service);
    weft_log_set_level (level);
}

void
weft_log_set_level (weft_level_t level)
{
    atomic_store (&state.level, (int)level);
}

int
weft_log_level (const char *text, weft_level_t *level)
{
    for (size_t i = 0; i < WEFT_COUNT (level_names); i++)
        if (strcmp (text, level_names[i]) == 0) {
            *level = (weft_level_t)i;
            return 0;
        }
    return WEFT_ECONFIG;
}

bool
weft_log_wants (weft_level_t level)
{
    return (int)level >= atomic_load (&state.level);
}

//  Copies `text` as the inside of a JSON string; what does not fit is cut.
static size_t
escape (char *out, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text && n + 7 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c < 0x20 || c >= 0x7f) {
            memcpy (out + n, "\\u00", 4);
            out[n + 4] = hex[c >> 4];
            out[n + 5] = hex[c & 15];
            n += 6;
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = 0;
    return n;
}

static void
write_line (const char *line, size_t size)
{
    while (size > 0) {
        ssize_t n = write (STDERR_FILENO, line, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line += n;
        size -= (size_t)n;
    }
}

void
weft_log (weft_level_t level, const char *id, const char *text, ...)
{
    if (!weft_log_wants (level))
        return;
    char words[1500], safe[3000], line[3400], stamp[40];
    va_list args;
    va_start (args, text);
    vsnprintf (words, sizeof words, text, args);
    va_end (args);
    escape (safe, sizeof safe, words);
    weft_time_iso (weft_time_utc (), stamp, sizeof stamp);
    int size = snprintf (line, sizeof line,
                         "{\"id\":\"%s\",\"level\":\"%s\",\"time\":\"%s\","
                         "\"service\":\"%s\",\"pid\":%d,\"text\":\"%s\"}\n",
                         id, level_names[level], stamp, state.service,
                         (int)getpid (), safe);
    write_line (line, (size_t)size);
}

bool
weft_log_may (weft_log_quota_t *self, const char *id, int64_t now_ms)
{
    if (now_ms / 1000 != self->second) {
        if (self->unsaid > 0)
            weft_log (WEFT_WARN, id, "and %u more", self->unsaid);
        *self = (weft_log_quota_t){ .second = now_ms / 1000 };
    }
    bool may = self->lines++ < WEFT_LOG_A_SECOND;
    self->unsaid += !may;
    return may;
}
