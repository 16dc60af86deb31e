//  weft_kafka_harm.c - messages that cannot be read from the broker's answer.
//
//  Their check sum is another one, their compression or their version is none
//  that librdkafka reads. It may be the way that did them harm, so they are read
//  once more, with all that is not committed. What fails again lies so in the
//  broker's log. Librdkafka asks for it for ever, or steps over it without a
//  word; then it is a gap (weft_gaps.h) from there to what comes next.

#include "weft_kafka_parts.h"

#include "weft_log.h"

static int
lane_of (const weft_kafka_t *self)
{
    return self->from_back ? WEFT_LANE_BACK : WEFT_LANE_LIVE;
}

bool
weft_kafka_harm (weft_kafka_t *self, weft_part_t *part, int64_t offset)
{
    int64_t *harmed = &part->harmed[lane_of (self)];
    bool news = offset > part->bad;
    part->bad = WEFT_MAX (part->bad, offset);
    //  Behind one that failed again nothing more is tried: all partitions stand
    //  still for it.
    if (news && *harmed < 0) {
        weft_kafka_find_anew (self);
        return false;
    }
    if (*harmed < 0 || offset < *harmed)
        *harmed = offset;
    return true;
}

//  What was said of this partition is over, and of no other.
static void
end_trouble (weft_kafka_t *self, const weft_part_t *part)
{
    char what[300];
    snprintf (what, sizeof (what), "%s/%d cannot be read", part->topic,
              part->partition);
    if (!strncmp (self->trouble, what, strlen (what)))
        weft_kafka_well (self);
}

int
weft_kafka_step_over (weft_kafka_t *self, weft_part_t *part, int64_t offset)
{
    int64_t *harmed = &part->harmed[lane_of (self)];
    if (*harmed < 0 || offset < *harmed)
        return 0;
    //  A batch may begin before its lane does, or end behind it.
    bool live = part->behind && !self->from_back;
    int64_t first = WEFT_MAX (*harmed, live ? part->split : part->start);
    int64_t end = self->from_back ? WEFT_MIN (offset, part->split) : offset;
    if (end > first) {
        if (weft_kafka_keep_gap (self, part->topic, part->partition, first,
                                 end - first))
            return WEFT_ENOMEM;
        weft_metric_add (self->gaps, (double)(end - first));
        weft_log (WEFT_ERROR, "KAFKA-GAP",
                  "%s/%d: %lld messages from offset %lld on cannot be read "
                  "from the broker's log; going on at %lld. They are lost to "
                  "this group: read them from the survey's archive",
                  part->topic, part->partition, (long long)(end - first),
                  (long long)first, (long long)end);
    }
    end_trouble (self, part);
    *harmed = -1;
    return 0;
}

void
weft_kafka_forget_harm (weft_part_t *part)
{
    part->harmed[WEFT_LANE_LIVE] = part->harmed[WEFT_LANE_BACK] = -1;
}
