//  weft_stage_child.c - the isolation child's own side: load the service, then
//  answer one alert at a time. No sockets, no Redis, no threads of ours.

#include "weft_stage_parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { JOB_MOST = 128 << 20, SECTION_MOST = WEFT_SECTION_MOST };

static int
read_all (void *data, size_t size)
{
    for (uint8_t *at = data; size > 0;) {
        ssize_t n = read (WEFT_ISOLATION_FD, at, size);
        if (n == 0 || (n < 0 && errno != EINTR))
            return WEFT_EIO;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int
write_all (const void *data, size_t size)
{
    for (const uint8_t *at = data; size > 0;) {
        ssize_t n = write (WEFT_ISOLATION_FD, at, size);
        if (n < 0 && errno != EINTR)
            return WEFT_EIO;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int
answer (int rc, const char *reason, const weft_buf_t *section)
{
    uint8_t header[WEFT_ISOLATION_HEADER];
    size_t size = rc == 0 ? section->size : 0;
    weft_put_u32 (header, (uint32_t)rc);
    weft_put_u32 (header + 4, (uint32_t)strlen (reason));
    weft_put_u32 (header + 8, (uint32_t)size);
    if (write_all (header, sizeof header) ||
        write_all (reason, strlen (reason)) ||
        (size > 0 && write_all (section->data, size)))
        return WEFT_EIO;
    return 0;
}

//  Returns new: the alert that the parent asks about; *end when there is none
//  any more. A NULL alert without *end: the golden vector is not there.
static weft_alert_t *
next_job (const weft_stage_spec_t *spec, bool *end)
{
    uint8_t header[8];
    *end = true;
    if (read_all (header, sizeof header))
        return NULL;
    uint32_t size = weft_get_u32 (header + 4);
    if (weft_get_u32 (header) == WEFT_ISOLATION_GOLDEN) {
        *end = false;
        return spec->golden ? spec->golden () : NULL;
    }
    uint8_t *bytes = size <= JOB_MOST ? malloc (WEFT_MAX (size, 1)) : NULL;
    weft_alert_t *alert = NULL;
    if (bytes && !read_all (bytes, size))
        alert = weft_alert_parse (bytes, size);
    free (bytes);
    *end = alert == NULL;
    return alert;
}

//  Dies with its parent, holds nothing of it, leaves no core behind.
static void
close_in (void)
{
    (void)prctl (PR_SET_PDEATHSIG, SIGKILL);
    closefrom (WEFT_ISOLATION_FD + 1);
    signal (SIGINT, SIG_IGN);
    signal (SIGHUP, SIG_IGN);
    (void)setrlimit (RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static int
open_service (const weft_stage_t *self, void **service)
{
    int rc = 0;
    do {
        rc = self->spec->open ? self->spec->open (service, self->env) : 0;
        if (rc == WEFT_EDOWN)
            usleep (250000);
    } while (rc == WEFT_EDOWN);
    return rc;
}

int
weft_stage_child (weft_stage_t *self)
{
    close_in ();
    void *service = NULL;
    weft_buf_t section;
    weft_buf_init (&section, SECTION_MOST);
    int rc = open_service (self, &service);
    if (!rc)
        rc = answer (0, "", &section);
    for (bool end = rc != 0; !end;) {
        weft_alert_t *alert = next_job (self->spec, &end);
        if (end)
            break;
        weft_buf_clear (&section);
        weft_stage_clear_reason ();
        rc = alert ? weft_stage_call (self->spec, service, alert, &section) : 0;
        end = answer (rc, weft_stage_last_reason (), &section) != 0;
        weft_alert_unref (&alert);
    }
    weft_buf_fini (&section);
    if (service && self->spec->close)
        self->spec->close (&service);
    return rc ? 1 : 0;
}
