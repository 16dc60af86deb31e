//  weft_refusals.c - counts refusals by schema in a minute.

#include "weft_refusals.h"

#define MINUTE_MS 60000

bool
weft_refusals_count (weft_refusals_t *self,
                     const char *schema,
                     size_t bytes,
                     int64_t now_ms)
{
    if (now_ms - self->minute_ms >= MINUTE_MS) {
        memset (self, 0, sizeof (*self));
        self->minute_ms = now_ms;
    }
    self->read++;
    if (!schema)
        return false;
    size_t i = 0;
    while (i < WEFT_REFUSALS_SCHEMAS - 1 && *self->schemas[i].schema &&
           strncmp (self->schemas[i].schema, schema,
                    sizeof (self->schemas[i].schema) - 1))
        i++;
    //  The last place is shared by all that have none of their own.
    snprintf (self->schemas[i].schema, sizeof (self->schemas[i].schema), "%s",
              schema);
    uint64_t refused = ++self->schemas[i].refused;
    //  One more of this size would have no room.
    self->schemas[i].bytes += bytes;
    return refused > WEFT_REFUSALS_MINUTE ||
           self->schemas[i].bytes + bytes > WEFT_REFUSALS_BYTES ||
           (self->read >= WEFT_REFUSALS_LEAST &&
            (double)refused > WEFT_REFUSALS_PART * (double)self->read);
}
