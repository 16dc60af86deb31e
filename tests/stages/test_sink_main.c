//  test_sink - appends the id of each alert to a file, once: what the file has
//  is read at the start. While the file `down` exists its sink is down.

#include "stage_options.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct {
    char *file, *down;
    int64_t base, also, most;
    weft_texts_t torn, never;
} options_t;

static const weft_option_t option_table[] = {
    WEFT_OPT_TEXT (options_t, file, NULL, "where ids go"),
    WEFT_OPT_TEXT (options_t, down, "", "down while this file exists"),
    WEFT_OPT_INT (options_t, base, "0", 0, 9e18, "", "subtracted from ids"),
    WEFT_OPT_INT (options_t, also, "0", 0, 9e18, "", "from those below base"),
    WEFT_OPT_INT (options_t, most, "10000000", 1, 1e9, "", "ids below this"),
    WEFT_OPT_TEXTS (options_t, torn, "ids that fail with EIO"),
    WEFT_OPT_TEXTS (options_t, never, "ids that are out of range"),
    WEFT_OPT_END,
};

typedef struct {
    const options_t *options;
    uint8_t *bits;
    int fd;
} sink_t;

static int
open_sink (void **self_p, const weft_stage_env_t *env)
{
    sink_t *self = calloc (1, sizeof *self);
    *self_p = self;
    if (!self)
        return WEFT_ENOMEM;
    self->options = weft_stage_options (env);
    self->bits = calloc ((size_t)self->options->most / 8 + 1, 1);
    self->fd = -1;
    if (!self->bits || weft_stage_isolated (env))
        return self->bits ? 0 : WEFT_ENOMEM;
    (void)stage_read_ids (self->options->file, self->bits, self->options->most);
    self->fd = open (self->options->file, O_RDWR | O_APPEND | O_CREAT, 0644);
    return self->fd >= 0 ? 0 : WEFT_EIO;
}

static void
close_sink (void **self_p)
{
    sink_t *self = *self_p;
    if (self->fd >= 0)
        close (self->fd);
    free (self->bits);
    free (self);
    *self_p = NULL;
}

//  Which alert it is, of those that are counted from a base.
static int64_t
number_of (const sink_t *self, const weft_alert_t *alert)
{
    const options_t *options = self->options;
    int64_t id = weft_alert_envelope (alert)->alert_id;
    bool other = options->also && id < options->base;
    return id - (other ? options->also : options->base);
}

static int
sink (void *arg, const weft_alert_t *in, weft_section_t *out)
{
    const sink_t *self = arg;
    weft_buf_addf (out, "%lld\n", (long long)number_of (self, in));
    return 0;
}

static int
commit (void *arg,
        const weft_alert_t *const *in,
        const weft_section_t *effects,
        size_t n)
{
    sink_t *self = arg;
    if (self->options->down[0] && access (self->options->down, F_OK) == 0)
        return WEFT_EDOWN;
    for (size_t i = 0; i < n; i++) {
        int64_t id = weft_alert_envelope (in[i])->alert_id;
        if (stage_listed (&self->options->torn, id))
            return WEFT_EIO;
        if (stage_listed (&self->options->never, id))
            return WEFT_ERANGE;
    }
    weft_buf_t lines;
    weft_buf_init (&lines, 16 << 20);
    for (size_t i = 0; i < n; i++) {
        int64_t id = number_of (self, in[i]);
        if (id < 0 || id >= self->options->most)
            continue;
        if (self->bits[id / 8] >> (id % 8) & 1)
            continue;
        self->bits[id / 8] |= (uint8_t)(1 << (id % 8));
        weft_buf_add (&lines, effects[i].data, effects[i].size);
    }
    bool good = !lines.error &&
                write (self->fd, lines.data, lines.size) == (ssize_t)lines.size;
    weft_buf_fini (&lines);
    return good ? 0 : WEFT_ENOMEM;
}

int
main (int argc, char *argv[])
{
    const char *name = getenv ("WEFT_TEST_STAGE");
    return weft_stage_main (argc, argv,
                            &(weft_stage_spec_t){
                                .name = name ? name : "sink",
                                .about = "writes ids to a file",
                                .options = option_table,
                                .options_size = sizeof (options_t),
                                .open = open_sink,
                                .close = close_sink,
                                .fn = sink,
                                .commit = commit,
                            });
}
