//  test_pass - adds a small section; does what it is told on given ids.
//  Its name comes from WEFT_TEST_STAGE, so that it can stand anywhere.

#include "stage_options.h"

#include "weft_time.h"

#include <signal.h>
#include <unistd.h>

typedef struct {
    weft_texts_t crash, hang, reject, later;
    bool reject_all, broken, batch;
    int64_t work_us, reject_below;
    char *mark;
} options_t;

static const weft_option_t option_table[] = {
    WEFT_OPT_TEXTS (options_t, crash, "ids that crash it"),
    WEFT_OPT_TEXTS (options_t, hang, "ids that hang it"),
    WEFT_OPT_TEXTS (options_t, reject, "ids that it rejects"),
    WEFT_OPT_TEXTS (options_t, later, "ids that wait for ever"),
    WEFT_OPT_BOOL (options_t, reject_all, "false", "all but the golden one"),
    WEFT_OPT_BOOL (options_t, broken, "false", "rejects the golden one, too"),
    WEFT_OPT_BOOL (options_t, batch, "false", "works in batches"),
    WEFT_OPT_INT (options_t, work_us, "0", 0, 1e7, "us", "per alert"),
    WEFT_OPT_INT (options_t, reject_below, "0", 0, 1e9, "", "ids below it"),
    WEFT_OPT_TEXT (options_t, mark, "", "written into the section"),
    WEFT_OPT_END,
};

static int
open_pass (void **self_p, const weft_stage_env_t *env)
{
    *self_p = (void *)(uintptr_t)weft_stage_options (env);
    return 0;
}

static void
work (int64_t us)
{
    int64_t until = weft_time_ns () + us * 1000;
    while (us > 0 && weft_time_ns () < until) {
    }
}

static int
pass (void *arg, const weft_alert_t *in, weft_section_t *out)
{
    const options_t *self = arg;
    int64_t id = weft_alert_envelope (in)->alert_id;
    if (id < 0)
        return self->broken ? WEFT_EREJECT : 0;
    work (self->work_us);
    if (stage_listed (&self->crash, id))
        raise (SIGSEGV);
    while (stage_listed (&self->hang, id))
        pause ();
    if (stage_listed (&self->later, id))
        return WEFT_EAGAIN;
    if (self->broken || self->reject_all || id < self->reject_below ||
        stage_listed (&self->reject, id)) {
        weft_stage_reason ("told to reject %lld", (long long)id);
        return WEFT_EREJECT;
    }
    weft_buf_addf (out, "%s passed %lld", self->mark, (long long)id);
    return 0;
}

static void
pass_batch (void *arg,
            const weft_alert_t *const *in,
            weft_section_t *out,
            int *results,
            size_t n)
{
    for (size_t i = 0; i < n; i++)
        results[i] = pass (arg, in[i], &out[i]);
}

static weft_alert_t *
golden (void)
{
    return stage_alert (-1, 10);
}

int
main (int argc, char *argv[])
{
    const char *name = getenv ("WEFT_TEST_STAGE");
    bool batch = getenv ("WEFT_TEST_BATCH") != NULL;
    return weft_stage_main (argc, argv,
                            &(weft_stage_spec_t){
                                .name = name ? name : "pass",
                                .about = "passes alerts on",
                                .writes = "pass.v1",
                                .options = option_table,
                                .options_size = sizeof (options_t),
                                .open = open_pass,
                                .fn = batch ? NULL : pass,
                                .fn_batch = batch ? pass_batch : NULL,
                                .golden = golden,
                            });
}
