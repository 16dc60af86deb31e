//  weft_kafka_config.c - our options as librdkafka's properties.
//
//  Passwords and keys come from files. What has no option of ours goes through
//  as name=value; what holds up custody cannot be overridden.

#include "weft_kafka_conf.h"
#include "weft_kafka_parts.h"

typedef struct {
    rd_kafka_conf_t *conf;
    char *why;
} setter_t;

//  A reason names the option that it comes from.
static int
told (setter_t *self, const char *option, int rc, const char *text)
{
    if (rc)
        snprintf (self->why, WEFT_INPUT_WHY, "options.%s: %.400s", option,
                  text);
    return rc;
}

static int
set (setter_t *self, const char *option, const char *name, const char *value)
{
    char text[WEFT_INPUT_WHY] = "";
    int rc = weft_kafka_set (self->conf, name, value, text);
    return told (self, option, rc, text);
}

//  An empty value is one that was not given.
static int
set_given (setter_t *self,
           const char *option,
           const char *name,
           const char *value)
{
    return value && *value ? set (self, option, name, value) : 0;
}

static int
set_number (setter_t *self,
            const char *option,
            const char *name,
            int64_t number)
{
    char text[32];
    snprintf (text, sizeof (text), "%lld", (long long)number);
    return set (self, option, name, text);
}

static int
set_from_file (setter_t *self,
               const char *option,
               const char *name,
               const char *path)
{
    char text[WEFT_INPUT_WHY] = "";
    int rc = weft_kafka_set_from_file (self->conf, name, path, text);
    return told (self, option, rc, text);
}

static int
set_security (setter_t *self, const weft_kafka_config_t *config)
{
    int rc =
        set_given (self, "security", "security.protocol", config->security);
    if (!rc)
        rc = set_given (self, "sasl", "sasl.mechanisms", config->sasl);
    if (!rc && *config->token_file && strcmp (config->sasl, "OAUTHBEARER")) {
        snprintf (self->why, WEFT_INPUT_WHY,
                  "options.token_file is for sasl: OAUTHBEARER, but "
                  "options.sasl is '%s'",
                  config->sasl);
        return WEFT_ECONFIG;
    }
    //  With a token of ours the user is only who we say that we are.
    if (!rc && !*config->token_file)
        rc = set_given (self, "user", "sasl.username", config->user);
    if (!rc && *config->password_file)
        rc = set_from_file (self, "password_file", "sasl.password",
                            config->password_file);
    if (!rc)
        rc = set_given (self, "ca_file", "ssl.ca.location", config->ca_file);
    return rc;
}

//  What options of ours say, and what custody rests on, is theirs alone.
static int
refuse_ours (const setter_t *self, const char *option, const char *name)
{
    static const char *const ours[][2] = {
        { "bootstrap.servers", "brokers" },
        { "metadata.broker.list", "brokers" },
        { "group.id", "group" },
        { "group.instance.id", "member" },
        { "topic.metadata.refresh.interval.ms", "discover_s" },
        { "queued.max.messages.kbytes", "prefetch_mb" },
        { "security.protocol", "security" },
        { "sasl.mechanisms", "sasl" },
        { "sasl.mechanism", "sasl" },
        { "sasl.username", "user" },
        { "sasl.password", "password_file" },
        { "ssl.ca.location", "ca_file" },
        { "enable.auto.offset.store", NULL },
        { "enable.auto.commit", NULL },
        { "auto.offset.reset", NULL },
        { "partition.assignment.strategy", NULL },
        { "enable.partition.eof", NULL },
        { "log.queue", NULL },
    };
    for (size_t i = 0; i < WEFT_COUNT (ours); i++) {
        if (strcmp (name, ours[i][0]) != 0)
            continue;
        snprintf (self->why, WEFT_INPUT_WHY,
                  "options.%s: %s cannot be set here: %s%s", option, name,
                  ours[i][1] ? "it is options."
                             : "that no alert is lost rests on it",
                  ours[i][1] ? ours[i][1] : "");
        return WEFT_ECONFIG;
    }
    return 0;
}

static int
refuse_secret (const setter_t *self, const char *option, const char *name)
{
    if (!weft_kafka_is_secret (name))
        return 0;
    snprintf (self->why, WEFT_INPUT_WHY,
              "options.%s: %s is a secret, which comes from a file: "
              "options.kafka_files: %s=FILE",
              option, name, name);
    return WEFT_ECONFIG;
}

//  Up to here both lists are "name=rest"; which of the two says what rest is.
static int
set_list (setter_t *self,
          const char *option,
          const weft_texts_t *list,
          bool files)
{
    char name[128];
    int rc = 0;
    for (uint32_t i = 0; !rc && i < list->n; i++) {
        const char *item = list->items[i], *equals = strchr (item, '=');
        if (!equals || equals == item ||
            (size_t)(equals - item) >= sizeof (name)) {
            snprintf (self->why, WEFT_INPUT_WHY,
                      "options.%s: '%.200s', expected name=%s", option, item,
                      files ? "FILE" : "value");
            return WEFT_ECONFIG;
        }
        snprintf (name, sizeof (name), "%.*s", (int)(equals - item), item);
        rc = refuse_ours (self, option, name);
        if (!rc && !files)
            rc = refuse_secret (self, option, name);
        if (!rc)
            rc = files ? set_from_file (self, option, name, equals + 1)
                       : set (self, option, name, equals + 1);
    }
    return rc;
}

//  How it fetches. Before librdkafka 2.2 nothing is fetched for up to a second
//  when the queue was found full, so a queue must hold a second's work.
static int
set_fetching (setter_t *self, const weft_kafka_config_t *config)
{
    int rc = set_number (self, "prefetch_mb", "queued.max.messages.kbytes",
                         config->prefetch_mb * 1024);
    if (!rc)
        rc = set (self, "prefetch_mb", "queued.min.messages", "100000");
    if (!rc)
        rc = set (self, "", "fetch.message.max.bytes", "2097152");
    if (!rc)
        rc = set (self, "", "fetch.max.bytes", "8388608");
    if (!rc)
        rc = set (self, "", "check.crcs", "true");
    char text[64];
    if (!rc)
        (void)rd_kafka_conf_set (self->conf, "fetch.queue.backoff.ms", "10",
                                 text, sizeof (text));
    return rc;
}

static int
set_group (setter_t *self, const weft_kafka_config_t *config)
{
    int rc = set (self, "brokers", "bootstrap.servers", config->brokers);
    if (!rc)
        rc = set (self, "group", "group.id", config->group);
    if (!rc)
        rc = set_given (self, "member", "group.instance.id", config->member);
    if (!rc)
        rc = set_number (self, "discover_s",
                         "topic.metadata.refresh.interval.ms",
                         config->discover_s * 1000);
    //  The shortest that brokers allow by themselves: so long the partitions of
    //  a member that has gone stand still.
    if (!rc)
        rc = set (self, "", "session.timeout.ms", "6000");
    if (!rc)
        rc = set (self, "", "max.poll.interval.ms", "60000");
    if (!rc)
        rc = set (self, "", "auto.commit.interval.ms", "1000");
    if (!rc)
        rc = set (self, "", "reconnect.backoff.max.ms", "2000");
    return rc;
}

//  What custody rests on: an offset is committed when everything below it is
//  settled; one that is gone is told, not jumped over; the protocols that are
//  sound in every release.
static int
set_custody (setter_t *self)
{
    static const char *const fixed[][2] = {
        { "enable.auto.offset.store", "false" },
        { "enable.auto.commit", "true" },
        { "auto.offset.reset", "error" },
        { "partition.assignment.strategy", "range,roundrobin" },
        { "enable.partition.eof", "false" },
        { "log.queue", "true" },
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < WEFT_COUNT (fixed); i++)
        rc = set (self, "", fixed[i][0], fixed[i][1]);
    return rc;
}

rd_kafka_conf_t *
weft_kafka_configure (weft_kafka_t *kafka,
                      const weft_kafka_config_t *config,
                      char why[WEFT_INPUT_WHY])
{
    setter_t self = { .conf = rd_kafka_conf_new (), .why = why };
    int rc = set_group (&self, config);
    if (!rc)
        rc = set_security (&self, config);
    if (!rc)
        rc = set_fetching (&self, config);
    if (!rc)
        rc = set_list (&self, "kafka", &config->properties, false);
    if (!rc)
        rc = set_list (&self, "kafka_files", &config->secret_files, true);
    if (!rc)
        rc = set_custody (&self);
    if (rc) {
        rd_kafka_conf_destroy (self.conf);
        return NULL;
    }
    rd_kafka_conf_set_opaque (self.conf, kafka);
    rd_kafka_conf_set_rebalance_cb (self.conf, weft_kafka_rebalance);
    rd_kafka_conf_set_error_cb (self.conf, weft_kafka_error);
    rd_kafka_conf_set_log_cb (self.conf, weft_kafka_log);
    if (*config->token_file)
        rd_kafka_conf_set_oauthbearer_token_refresh_cb (self.conf,
                                                        weft_kafka_token);
    return self.conf;
}
