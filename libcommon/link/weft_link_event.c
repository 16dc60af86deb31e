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
