//  test_refs - a last stage that appends to a file each alert's key, the
//  reference to its packet, and a hash of its first section.

#include "stage_options.h"

#include <fcntl.h>
#include <unistd.h>

#include "weft_hash.h"
#include "weft_packet.h"

typedef struct {
    char *file;
} options_t;

static const weft_option_t option_table[] = {
    WEFT_OPT_TEXT (options_t, file, NULL, "where references go"),
    WEFT_OPT_END,
};

static int
open_refs (void **self_p, const weft_stage_env_t *env)
{
    const options_t *options = weft_stage_options (env);
    int *fd = calloc (1, sizeof *fd);
    *self_p = fd;
    if (!fd)
        return WEFT_ENOMEM;
    *fd = open (options->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return *fd >= 0 ? 0 : WEFT_EIO;
}

static void
close_refs (void **self_p)
{
    int *fd = *self_p;
    close (*fd);
    free (fd);
    *self_p = NULL;
}

static int
take (void *arg, const weft_alert_t *in, weft_section_t *out)
{
    (void)arg;
    weft_alert_v1_t alert;
    weft_packet_ref_t ref;
    char text[WEFT_PACKET_TEXT] = "-";
    const weft_envelope_v1_t *envelope = weft_alert_envelope (in);
    int rc = weft_alert_read (in, &weft_alert_v1, &alert);
    if (rc)
        return rc;
    if (weft_packet_of_raw_ref (&alert.raw_ref, &ref) == 0)
        weft_packet_text (&ref, text);
    weft_frame_t *section = weft_alert_frame (in, 1);
    uint64_t hash =
        weft_hash (weft_frame_data (section), weft_frame_size (section));
    weft_buf_addf (out, "%.*s:%lld %s %016llx\n", (int)envelope->survey.n,
                   envelope->survey.p, (long long)envelope->alert_id, text,
                   (unsigned long long)hash);
    return 0;
}

static int
commit (void *arg,
        const weft_alert_t *const *in,
        const weft_section_t *effects,
        size_t n)
{
    const int *fd = arg;
    (void)in;
    for (size_t i = 0; i < n; i++)
        if (write (*fd, effects[i].data, effects[i].size) !=
            (ssize_t)effects[i].size)
            return WEFT_EIO;
    return 0;
}

int
main (int argc, char *argv[])
{
    return weft_stage_main (argc, argv,
                            &(weft_stage_spec_t){
                                .name = "sink",
                                .about = "writes references to a file",
                                .reads = "alert.v1",
                                .options = option_table,
                                .options_size = sizeof (options_t),
                                .open = open_refs,
                                .close = close_refs,
                                .fn = take,
                                .commit = commit,
                            });
}
