//  weft_kafka_conf.h - one property of librdkafka, given or from a file.
//
//  Any thread. 0, or WEFT_ECONFIG with a reason that does not show the value of
//  a file.

#ifndef WEFT_KAFKA_CONF_H_INCLUDED
#define WEFT_KAFKA_CONF_H_INCLUDED

#include <librdkafka/rdkafka.h>

#include "weft_input.h"

#define WEFT_SECRET_MOST 65536  //  bytes of a file, with its end

//  Is that property's value a secret, which neither a list of processes nor a
//  configuration should show?
bool weft_kafka_is_secret (const char *name);

WEFT_CHECK int weft_kafka_set (rd_kafka_conf_t *conf,
                               const char *name,
                               const char *value,
                               char why[WEFT_INPUT_WHY]);

//  The file's text without the end of its last line: secrets are in no list of
//  processes.
WEFT_CHECK int weft_kafka_set_from_file (rd_kafka_conf_t *conf,
                                         const char *name,
                                         const char *path,
                                         char why[WEFT_INPUT_WHY]);

//  Such a file's text alone.
WEFT_CHECK int weft_kafka_read_secret (const char *path,
                                       char text[WEFT_SECRET_MOST],
                                       char why[WEFT_INPUT_WHY]);

#endif
