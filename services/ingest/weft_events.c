//  weft_events.c - an event as a row.

#include "weft_events.h"

#include "weft_buf.h"
#include "weft_rows.h"
#include "weft_time.h"

//  "reassociated/lsst/17/4611/4612/9a3f": kind, survey, source, from, to, version.
static void
name_event (const weft_event_t *event, char *id, size_t room)
{
    snprintf (id, room, "%s/%.*s/%lld/%.60s/%.60s/%llx", event->kind,
              (int)event->survey.n, event->survey.p, (long long)event->source,
              event->from ? event->from : "", event->to ? event->to : "",
              (unsigned long long)event->version);
}

int
weft_events_put (weft_redis_t *redis, const weft_event_t *event)
{
    char id[WEFT_ROW_ID_MOST];
    weft_event_v1_t section;
    weft_buf_t bytes;
    weft_buf_init (&bytes, WEFT_ROW_MOST);
    name_event (event, id, sizeof id);
    weft_contract_clear (&weft_event_v1, &section);
    WEFT_SET (event_v1, &section, event_id, weft_str (id));
    WEFT_SET (event_v1, &section, kind, weft_str (event->kind));
    WEFT_SET (event_v1, &section, survey, event->survey);
    WEFT_SET (event_v1, &section, object_id, event->object_id);
    if (event->source)
        WEFT_SET (event_v1, &section, alert_id, event->source);
    if (event->from)
        WEFT_SET (event_v1, &section, from, weft_str (event->from));
    if (event->to)
        WEFT_SET (event_v1, &section, to, weft_str (event->to));
    WEFT_SET (event_v1, &section, at,
              event->at > 0 ? event->at : weft_time_mjd_tai ());
    if (event->reason)
        WEFT_SET (event_v1, &section, reason, weft_str (event->reason));
    int rc = weft_contract_encode (&weft_event_v1, &section, &bytes);
    weft_row_put_t row = { .id = weft_str (id),
                           .row = bytes.data,
                           .size = bytes.size };
    if (!rc)
        rc = weft_rows_put (redis, "event", &row, 1);
    if (!rc)
        rc = weft_rows_trim (redis, "event", WEFT_EVENTS_KEPT);
    weft_buf_fini (&bytes);
    return rc;
}
