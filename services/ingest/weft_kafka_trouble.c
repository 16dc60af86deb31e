//  weft_kafka_trouble.c - what librdkafka says, in words that help.
//
//  One line per event, not per attempt: the library repeats itself as long as
//  something lasts. What lasts is kept for /readyz until partitions are found
//  anew, or weft_kafka_probe.c finds that it is over.

#include "weft_kafka_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define REPEAT_MS 30000   //  the same again: so often at most
#define STAMP_MS 600000   //  a clock that is off: so often
#define AHEAD_MOST_S 2.0  //  of a stamp that is still of the past

//  `what` to do about it comes first: readyz shows only so much.
static void
trouble (weft_kafka_t *self, const char *id, const char *what, const char *why)
{
    char text[sizeof (self->trouble)];
    int64_t now_ms = weft_time_ms ();
    size_t same = strlen (what);
    self->troubled_ms = now_ms;
    snprintf (text, sizeof (text), "%s: %.300s", what, why);
    if (!strncmp (text, self->trouble, same) &&
        now_ms < self->trouble_ms + REPEAT_MS)
        return;
    snprintf (self->trouble, sizeof (self->trouble), "%s", text);
    self->trouble_ms = now_ms;
    weft_log (WEFT_ERROR, id, "%s", text);
}

void
weft_kafka_well (weft_kafka_t *self)
{
    if (*self->trouble)
        weft_log (WEFT_INFO, "KAFKA-WELL", "it is over: %s", self->trouble);
    *self->trouble = *self->cause = 0;
    self->trouble_stays = false;
}

static void
end_of_member (weft_kafka_t *self)
{
    char text[256];
    rd_kafka_resp_err_t err =
        rd_kafka_fatal_error (self->rk, text, sizeof (text));
    if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        trouble (self, "KAFKA-FENCED",
                 "another process is this member of the group; give each "
                 "replica a name of its own in options.member",
                 text);
    else
        trouble (self, "KAFKA-FATAL", "this process ends", text);
    self->fatal = true;
}

//  What a connection's last reason tells somebody to do, by words of it, in the
//  order in which they are looked for.
static const struct {
    const char *sign, *what;
} causes[] = {
    { "in state UP", "it was there and has gone: is it up?" },
    { "ailed to resolve",
      "its name is not known here: see options.brokers and this host's DNS" },
    { "onnection refused",
      "nothing listens there: is the broker up, and its port right?" },
    { "unreachable", "there is no way to it: see this host's network" },
    { "No route to host", "there is no way to it: see this host's network" },
    { "SASL", "it wants a user: see options.security and sasl" },
    { "security.protocol", "it speaks another protocol: see options.security" },
    { "SSL", "no TLS with it: see options.security and ca_file" },
    { "imed out", "it is silent: is its port right, and a firewall between?" },
    { "isconnected",
      "it hangs up: see options.security, and the broker's own log" },
};

#define UNREACHABLE "no broker of options.brokers answers, it is tried again; "

static bool
is_unreachable (const weft_kafka_t *self)
{
    return !strncmp (self->trouble, UNREACHABLE, strlen (UNREACHABLE));
}

//  No broker answers; the last reason that a connection gave says why. /readyz
//  has the newest; another one than before is logged, too.
static void
unreachable (weft_kafka_t *self)
{
    char text[sizeof (self->trouble)];
    const char *act = "is it up, and options.brokers right?";
    for (size_t i = WEFT_COUNT (causes); i-- > 0;)
        if (strstr (self->cause, causes[i].sign))
            act = causes[i].what;
    snprintf (text, sizeof (text), UNREACHABLE "%s: %.300s", act,
              *self->cause ? self->cause : "librdkafka gave no reason");
    size_t same = strlen (UNREACHABLE) + strlen (act);
    int64_t now_ms = weft_time_ms ();
    self->troubled_ms = now_ms;
    bool told =
        is_unreachable (self) && (!strncmp (text, self->trouble, same) ||
                                  now_ms < self->trouble_ms + REPEAT_MS);
    snprintf (self->trouble, sizeof (self->trouble), "%s", text);
    if (told)
        return;
    self->trouble_ms = now_ms;
    weft_log (WEFT_ERROR, "KAFKA-UNREACHABLE", "%s", text);
}

//  One attempt has failed: what lasts comes as ALL_BROKERS_DOWN, once.
static void
note (weft_kafka_t *self, int err, const char *reason)
{
    weft_log (WEFT_DEBUG, "KAFKA-NOTE", "%s: %s",
              rd_kafka_err2name ((rd_kafka_resp_err_t)err), reason);
    if (err != RD_KAFKA_RESP_ERR__TRANSPORT &&
        err != RD_KAFKA_RESP_ERR__RESOLVE &&
        err != RD_KAFKA_RESP_ERR__TIMED_OUT)
        return;
    snprintf (self->cause, sizeof (self->cause), "%s", reason);
    if (is_unreachable (self))
        unreachable (self);
}

//  Brokers that refuse us, or, with OAUTHBEARER, nobody who gives a token to
//  show them.
static void
refused (weft_kafka_t *self, const char *reason)
{
    if (strstr (reason, "OAUTHBEARER token"))
        trouble (self, "KAFKA-TOKEN",
                 "no token for OAUTHBEARER, see options.token_file (or "
                 "sasl.oauthbearer.* in options.kafka); it is tried again",
                 reason);
    else
        trouble (self, "KAFKA-CREDENTIALS",
                 "the brokers refuse options.sasl, user, password_file or "
                 "token_file; it is tried again",
                 reason);
}

void
weft_kafka_error (rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    weft_kafka_t *self = opaque;
    (void)rk;
    switch (err) {
    case RD_KAFKA_RESP_ERR__FATAL:
        end_of_member (self);
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        refused (self, reason);
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        trouble (self, "KAFKA-TLS",
                 "no secure connection, see options.security and ca_file; it "
                 "is tried again",
                 reason);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        trouble (self, "KAFKA-NOT-ALLOWED",
                 "the user may not read this topic, or not as this group",
                 reason);
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        //  Says why in the trouble that it had before, if it had any.
        if (!*self->trouble)
            unreachable (self);
        break;
    default:
        note (self, err, reason);
        break;
    }
}

//  Repeated lines are left out for a while: a broker that is away is told once.
void
weft_kafka_log (const rd_kafka_t *rk,
                int level,
                const char *facility,
                const char *text)
{
    weft_kafka_t *self = rd_kafka_opaque (rk);
    char line[sizeof (self->said)];
    int64_t now_ms = weft_time_ms ();
    snprintf (line, sizeof (line), "%s", facility);
    if (!strcmp (line, self->said) && now_ms < self->said_ms + REPEAT_MS)
        return;
    snprintf (self->said, sizeof (self->said), "%s", line);
    self->said_ms = now_ms;
    weft_log (level <= 4 ? WEFT_WARN : WEFT_INFO, "KAFKA-LIBRARY", "%s: %.400s",
              facility, text);
}

//  Stamps are set by who wrote the message, or by the broker: before now.
void
weft_kafka_look_at_stamp (weft_kafka_t *self, const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t stamp_ms = rd_kafka_message_timestamp (m, &type);
    double ahead_s = (double)stamp_ms / 1000 - weft_time_utc ();
    int64_t now_ms = weft_time_ms ();
    if (ahead_s <= AHEAD_MOST_S ||
        (self->stamp_said_ms && now_ms < self->stamp_said_ms + STAMP_MS))
        return;
    self->stamp_said_ms = now_ms;
    weft_log (WEFT_WARN, "KAFKA-CLOCK",
              "%s/%d at %lld has a time stamp %.1f s ahead of this host's "
              "clock: that of its producer, of the broker or this one is "
              "wrong. It is read all the same; t_kafka is as it was sent",
              rd_kafka_topic_name (m->rkt), m->partition, (long long)m->offset,
              ahead_s);
}

static void
harmed (weft_kafka_t *self, const rd_kafka_message_t *m, const char *text)
{
    weft_part_t *part =
        m->rkt
            ? weft_kafka_part (self, rd_kafka_topic_name (m->rkt), m->partition)
            : NULL;
    if (!part || !part->assigned)
        return;
    if (!weft_kafka_harm (self, part, m->offset)) {
        weft_log (WEFT_WARN, "KAFKA-READ-AGAIN", "%s/%d at %lld: %s: %s",
                  part->topic, part->partition, (long long)m->offset,
                  rd_kafka_err2name (m->err), text);
        return;
    }
    char what[400];
    snprintf (what, sizeof (what),
              "%s/%d cannot be read at offset %lld, nor what lies behind it, "
              "nothing is committed past it; is the broker's disk well? To "
              "give it up, set the group's offset behind it",
              part->topic, part->partition, (long long)m->offset);
    trouble (self, "KAFKA-CORRUPT", what, text);
    self->trouble_stays = true;
}

void
weft_kafka_bad_message (weft_kafka_t *self, const rd_kafka_message_t *m)
{
    const char *text = rd_kafka_message_errstr (m);
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__FATAL:
        end_of_member (self);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        //  Retention has overtaken us, or an unclean election has cut the log.
        weft_log (WEFT_WARN, "KAFKA-OFFSET-GONE", "%s/%d at %lld: %s",
                  rd_kafka_topic_name (m->rkt), m->partition,
                  (long long)m->offset, text);
        weft_kafka_find_anew (self);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        trouble (self, "KAFKA-TOPIC-GONE",
                 "a topic is not there (any more); it is looked for again",
                 text);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        trouble (self, "KAFKA-NOT-ALLOWED",
                 "the user may not read this topic, or not as this group",
                 text);
        //  Told once; a partition that may be looked at says nothing of it.
        self->trouble_stays = true;
        break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        harmed (self, m, text);
        break;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        weft_log (WEFT_WARN, "KAFKA-AWAY", "%s", text);
        break;
    default:
        weft_log (WEFT_WARN, "KAFKA-READ-FAILED", "%s: %s",
                  rd_kafka_err2name (m->err), text);
        break;
    }
}
