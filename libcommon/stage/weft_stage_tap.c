//  weft_stage_tap.c - the side channel of a stage: what it has finished, for
//  whoever looks on.
//
//  Shown is an alert with the section that this stage has written behind it; of
//  a last stage, the alert as it came. Nothing here can fail an alert.

#include "weft_stage_parts.h"

//  By default the same host as the links, so that the same rules hold.
static const char *
address_of (const weft_settings_t *settings, char *text, size_t room)
{
    if (settings->link.tap[0])
        return settings->link.tap;
    const char *colon = strrchr (settings->link.bind, ':');
    size_t host = colon ? (size_t)(colon - settings->link.bind) : 0;
    snprintf (text, room, "%.*s:0", (int)host, settings->link.bind);
    return text;
}

int
weft_stage_open_tap (weft_stage_t *self, char *why, size_t room)
{
    char text[256], inner[256];
    const char *address = address_of (self->settings, text, sizeof text);
    if (strcmp (address, "off") == 0)
        return 0;
    self->tap = weft_tap_new (self->mesh, address, inner, sizeof inner);
    if (!self->tap)
        snprintf (why, room, "link.tap: %s", inner);
    return self->tap ? 0 : WEFT_ECONFIG;
}

//  A bound socket takes no other key, and whoever has lost its own must go: it
//  is made anew, at once or, if its port is not free yet, at a later beat.
void
weft_stage_renew_tap (weft_stage_t *self)
{
    weft_tap_destroy (&self->tap);
}

void
weft_stage_tap_beat (weft_stage_t *self)
{
    char why[512];
    if (!self->tap && weft_stage_open_tap (self, why, sizeof why))
        weft_log (WEFT_DEBUG, "STAGE-TAP-WAITS", "%s", why);
    if (self->tap)
        (void)weft_tap_turn (self->tap);
}

void
weft_stage_show (weft_stage_t *self, const weft_alert_t *alert)
{
    if (self->tap && alert)
        weft_tap_offer (self->tap, alert);
}
