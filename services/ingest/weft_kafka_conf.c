//  weft_kafka_conf.c - one property of librdkafka, given or from a file.

#include "weft_kafka_conf.h"

#include <errno.h>
#include <strings.h>

bool
weft_kafka_is_secret (const char *name)
{
    static const char *const ends[] = { "password", "passphrase", "secret",
                                        "key.pem" };
    size_t size = strlen (name);
    for (size_t i = 0; i < WEFT_COUNT (ends); i++) {
        size_t end = strlen (ends[i]);
        if (size >= end && strcasecmp (name + size - end, ends[i]) == 0)
            return true;
    }
    return false;
}

int
weft_kafka_set (rd_kafka_conf_t *conf,
                const char *name,
                const char *value,
                char why[WEFT_INPUT_WHY])
{
    return rd_kafka_conf_set (conf, name, value, why, WEFT_INPUT_WHY) ==
                   RD_KAFKA_CONF_OK
               ? 0
               : WEFT_ECONFIG;
}

int
weft_kafka_read_secret (const char *path,
                        char text[WEFT_SECRET_MOST],
                        char why[WEFT_INPUT_WHY])
{
    FILE *file = fopen (path, "re");
    if (!file) {
        snprintf (why, WEFT_INPUT_WHY, "%.300s: %s", path, strerror (errno));
        return WEFT_ECONFIG;
    }
    size_t n = fread (text, 1, WEFT_SECRET_MOST - 1, file);
    fclose (file);
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = 0;
    return 0;
}

int
weft_kafka_set_from_file (rd_kafka_conf_t *conf,
                          const char *name,
                          const char *path,
                          char why[WEFT_INPUT_WHY])
{
    char text[WEFT_SECRET_MOST];
    int rc = weft_kafka_read_secret (path, text, why);
    if (rc)
        return rc;
    rc = weft_kafka_set (conf, name, text, why);
    memset (text, 0, sizeof (text));
    return rc;
}
