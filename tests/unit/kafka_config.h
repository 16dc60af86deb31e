//  kafka_config.h - the options of a member, for tests.

#ifndef KAFKA_CONFIG_H_INCLUDED
#define KAFKA_CONFIG_H_INCLUDED

#include "weft_kafka.h"

//  What a member needs, and nothing else. Without a static name, which this
//  cluster does not know: such a member would have to be waited out.
static inline weft_kafka_config_t
plain_config (const char *brokers, char **topic)
{
    return (weft_kafka_config_t){ .brokers = brokers,
                                  .topics = { topic, 1 },
                                  .group = "g",
                                  .member = "",
                                  .start = "earliest",
                                  .security = "plaintext",
                                  .sasl = "",
                                  .user = "",
                                  .password_file = "",
                                  .token_file = "",
                                  .ca_file = "",
                                  .prefetch_mb = 1,
                                  .discover_s = 1 };
}

#endif
