//  weft_link_event.c - the table of link events, looked up; and the mask of
//  rules that a test build has switched off.

#include "weft_link_event.h"

#include "weft_link_mutation.h"

#ifdef WEFT_LINK_MUTATE
uint64_t weft_link_mutation = 0;
#endif

static const struct {
    const char *name;
    weft_level_t level;
} events[] = {
#define X(event, id, severity) [WEFT_LINK_EVENT_##event] = { id, severity },
    WEFT_LINK_EVENTS (X)
#undef X
};

const char *
weft_link_event_name (weft_link_event_id_t id)
{
    return events[id].name;
}

weft_level_t
weft_link_event_level (weft_link_event_id_t id)
{
    return events[id].level;
}

//  Most events are about alerts: handed back, rejected, waiting.
void
weft_link_event_measure (const weft_link_event_t *event,
                         char out[WEFT_LINK_EVENT_MEASURE])
{
    unsigned long long value = event->value;
    out[0] = '\0';
    switch (event->id) {
    case WEFT_LINK_EVENT_REFUSED:
    case WEFT_LINK_EVENT_REPAIRED:
        break;
    case WEFT_LINK_EVENT_WELCOMED:
        snprintf (out, WEFT_LINK_EVENT_MEASURE, "%llu now", value);
        break;
    case WEFT_LINK_EVENT_AWAY:
        snprintf (out, WEFT_LINK_EVENT_MEASURE, "%llu ms", value);
        break;
    case WEFT_LINK_EVENT_HELD:
        snprintf (out, WEFT_LINK_EVENT_MEASURE, "%llu rejects", value);
        break;
    case WEFT_LINK_EVENT_CONVICTED:
        snprintf (out, WEFT_LINK_EVENT_MEASURE, "alert number %llu", value);
        break;
    case WEFT_LINK_EVENT_TOO_BIG:
        snprintf (out, WEFT_LINK_EVENT_MEASURE, "%llu bytes", value);
        break;
    default:
        snprintf (out, WEFT_LINK_EVENT_MEASURE, "%llu alerts", value);
    }
}
