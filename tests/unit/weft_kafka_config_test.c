//  Options of Kafka that are refused: wrong ones, what has an option of its
//  own, secrets that are no file. No broker is needed.

#include "unit/testing.h"

#include "unit/kafka_config.h"

static void
refuse (weft_kafka_config_t config, const char *option)
{
    char why[WEFT_INPUT_WHY] = "";
    weft_kafka_t *kafka = weft_kafka_new (&config, why);
    assert_null (kafka);
    if (!strstr (why, option))
        fail_msg ("'%s' does not name %s", why, option);
}

//  By either list: what has an option of its own names that.
static void
what_has_an_option_is_refused (void **state)
{
    (void)state;
    static const char *const theirs[][2] = {
        { "security.protocol", "security" },
        { "sasl.mechanism", "sasl" },
        { "sasl.mechanisms", "sasl" },
        { "sasl.username", "user" },
        { "sasl.password", "password_file" },
        { "ssl.ca.location", "ca_file" },
        { "queued.max.messages.kbytes", "prefetch_mb" },
    };
    char *topics[] = { "t" }, item[128], said[256], *list[] = { item };
    for (size_t i = 0; i < 2 * WEFT_COUNT (theirs); i++) {
        const char *const *pair = theirs[i / 2];
        weft_kafka_config_t config = plain_config ("127.0.0.1:1", topics);
        snprintf (item, sizeof (item), "%s=1000", pair[0]);
        *(i % 2 ? &config.secret_files : &config.properties) =
            (weft_texts_t){ list, 1 };
        snprintf (said, sizeof (said),
                  "options.%s: %s cannot be set here: it is options.%s",
                  i % 2 ? "kafka_files" : "kafka", pair[0], pair[1]);
        refuse (config, said);
    }
}

static void
a_secret_comes_from_a_file (void **state)
{
    (void)state;
    char *topics[] = { "t" }, *key[] = { "ssl.key.password=x" },
         *oidc[] = { "sasl.oauthbearer.client.secret=x" },
         *pem[] = { "ssl.key.pem=x" };
    weft_kafka_config_t config = plain_config ("127.0.0.1:1", topics);
    config.properties = (weft_texts_t){ key, 1 };
    refuse (config, "options.kafka_files: ssl.key.password=FILE");
    config.properties = (weft_texts_t){ oidc, 1 };
    refuse (config, "options.kafka_files: sasl.oauthbearer.client.secret=FILE");
    config.properties = (weft_texts_t){ pem, 1 };
    refuse (config, "options.kafka_files: ssl.key.pem=FILE");
}

static void
a_wrong_option_is_named (void **state)
{
    (void)state;
    char *topics[] = { "t" }, *nonsense[] = { "no.such.property=1" },
         *group[] = { "group.id=another" },
         *commit[] = { "enable.auto.offset.store=true" },
         *missing[] = { "ssl.key.password=/nowhere/at/all" },
         *bare[] = { "fetch.max.bytes" };
    const weft_kafka_config_t good = plain_config ("127.0.0.1:1", topics);
    weft_kafka_config_t config = good;
    config.topics.n = 0;
    refuse (config, "options.topics");
    config = good;
    config.start = "middle";
    refuse (config, "options.start");
    config = good;
    config.security = "secret";
    refuse (config, "options.security");
    config = good;
    config.password_file = "/nowhere/at/all";
    refuse (config, "options.password_file: /nowhere/at/all");
    config = good;
    config.sasl = "SCRAM-SHA-512";
    config.token_file = "/some/token";
    refuse (config, "options.token_file");
    config = good;
    config.properties = (weft_texts_t){ group, 1 };
    refuse (config, "options.kafka: group.id cannot be set here: it is "
                    "options.group");
    config.properties = (weft_texts_t){ commit, 1 };
    refuse (config, "that no alert is lost rests on it");
    config.properties = (weft_texts_t){ nonsense, 1 };
    refuse (config, "options.kafka");
    config = good;
    config.properties = (weft_texts_t){ bare, 1 };
    refuse (config, "options.kafka: 'fetch.max.bytes'");
    config = good;
    config.secret_files = (weft_texts_t){ missing, 1 };
    refuse (config, "options.kafka_files: /nowhere/at/all");
}

//  Of a topic that is looked at, too: anybody on the machine reads its address.
static void
a_secret_is_in_no_address (void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        { "sasl.password=x", "sasl.password=@FILE" },
        { "SSL.KEY.PASSWORD=x", "SSL.KEY.PASSWORD=@FILE" },
        { "sasl.oauthbearer.client.secret=x", "client.secret=@FILE" },
    };
    for (size_t i = 0; i < WEFT_COUNT (wrong); i++) {
        char url[256], why[WEFT_INPUT_WHY] = "";
        snprintf (url, sizeof (url), "kafka://127.0.0.1:1/t?%s", wrong[i][0]);
        assert_null (weft_input_topic (url, why));
        if (!strstr (why, wrong[i][1]))
            fail_msg ("'%s' does not say %s", why, wrong[i][1]);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_wrong_option_is_named),
        cmocka_unit_test (what_has_an_option_is_refused),
        cmocka_unit_test (a_secret_comes_from_a_file),
        cmocka_unit_test (a_secret_is_in_no_address),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
