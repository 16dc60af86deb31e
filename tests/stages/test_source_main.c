//  test_source - N synthetic alerts, read again after a death as far as they
//  have no outcome: the log has a line "id 1" (settled) or "id 0" (dead) for each.

#include "stage_options.h"

#include "weft_time.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct {
    int64_t alerts, size, rate;
    bool end, golden;
    char *log;
} options_t;

static const weft_option_t option_table[] = {
    WEFT_OPT_INT (options_t, alerts, "1000", 0, 1e8, "", "how many"),
    WEFT_OPT_INT (options_t, size, "10000", 0, 1e8, "bytes", "of a section"),
    WEFT_OPT_INT (options_t, rate, "0", 0, 1e6, "1/s", "pace, 0: none"),
    WEFT_OPT_BOOL (options_t, end, "true", "end when all are settled"),
    WEFT_OPT_BOOL (options_t, golden, "false", "a real alert.v1, no filler"),
    WEFT_OPT_TEXT (options_t, log, NULL, "file with outcomes"),
    WEFT_OPT_END,
};

typedef struct {
    const options_t *options;
    uint8_t *bits;  //  settled
    int64_t next, done, taken;
    int64_t started_ms;
    int fd;
} source_t;

static int
open_source (void **self_p, const weft_stage_env_t *env)
{
    source_t *self = calloc (1, sizeof *self);
    *self_p = self;
    if (!self)
        return WEFT_ENOMEM;
    self->options = weft_stage_options (env);
    self->bits = calloc ((size_t)self->options->alerts / 8 + 1, 1);
    self->done =
        stage_read_ids (self->options->log, self->bits, self->options->alerts);
    self->fd = open (self->options->log, O_WRONLY | O_APPEND | O_CREAT, 0644);
    self->started_ms = weft_time_ms ();
    return self->fd >= 0 && self->bits ? 0 : WEFT_EIO;
}

static void
close_source (void **self_p)
{
    source_t *self = *self_p;
    if (self->fd >= 0)
        close (self->fd);
    free (self->bits);
    free (self);
    *self_p = NULL;
}

static int
pull (void *arg, weft_intake_t *intake, size_t room)
{
    source_t *self = arg;
    int64_t most = self->options->alerts;
    int64_t due = INT64_MAX;
    if (self->options->rate)
        due = (weft_time_ms () - self->started_ms) * self->options->rate / 1000;
    for (; room > 0 && self->next < most && self->taken < due; self->next++) {
        int64_t id = self->next;
        if (self->bits[id / 8] >> (id % 8) & 1)
            continue;
        weft_alert_t *alert =
            self->options->golden
                ? stage_golden (id)
                : stage_alert (id, (size_t)self->options->size);
        if (!alert)
            return WEFT_ENOMEM;
        weft_intake_add (intake, alert, (void *)(intptr_t)(id + 1));
        self->taken++;
        room--;
    }
    return self->next == most ? -1 : room > 0 ? 5 : 0;
}

static int
settle (void *arg, const weft_settled_t *settled, size_t n)
{
    source_t *self = arg;
    weft_buf_t lines;
    weft_buf_init (&lines, 16 << 20);
    for (size_t i = 0; i < n; i++) {
        int64_t id = (intptr_t)settled[i].token - 1;
        assert (id == weft_alert_envelope (settled[i].alert)->alert_id);
        weft_buf_addf (&lines, "%lld %d\n", (long long)id,
                       settled[i].outcome == WEFT_OUTCOME_SETTLED);
        self->done++;
    }
    bool good = !lines.error &&
                write (self->fd, lines.data, lines.size) == (ssize_t)lines.size;
    weft_buf_fini (&lines);
    return good ? 0 : WEFT_EIO;
}

static bool
finished (void *arg)
{
    source_t *self = arg;
    return self->options->end && self->done >= self->options->alerts;
}

int
main (int argc, char *argv[])
{
    static const weft_source_t source = { .pull = pull,
                                          .settle = settle,
                                          .finished = finished };
    return weft_stage_main (argc, argv,
                            &(weft_stage_spec_t){
                                .name = "source",
                                .about = "synthetic alerts",
                                .writes = "alert.v1",
                                .options = option_table,
                                .options_size = sizeof (options_t),
                                .open = open_source,
                                .close = close_source,
                                .source = &source,
                            });
}
