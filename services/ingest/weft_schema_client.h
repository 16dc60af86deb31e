//  weft_schema_client.h - writers' schemas by id, from a schema registry.
//
//  Confluent's REST interface: GET URL/schemas/ids/ID. What it answered is kept
//  in a folder, so that a restart needs no registry. Asking never blocks: what
//  is not known yet is on its way, and is there at a later call. A registry
//  that does not answer is asked again after a growing pause; what is known
//  stays known meanwhile.
//
//  An id can lie. Ids are for ever: when the registry answers another schema
//  than it did before, both are kept, it is said loudly, and whoever decodes
//  has to show which of them the bytes fit (weft_decoder.c).
//
//  One thread; libcurl's multi interface does the waiting.

#ifndef WEFT_SCHEMA_CLIENT_H_INCLUDED
#define WEFT_SCHEMA_CLIENT_H_INCLUDED

#include "weft_avro_schema.h"

#define WEFT_SCHEMA_IDS_MOST 512   //  ids kept, known and unknown ones
#define WEFT_SCHEMA_RIVALS_MOST 4  //  schemas kept of one id
#define WEFT_SCHEMA_WHY 320        //  room for a reason
#define WEFT_SCHEMA_PAUSE_MS 500   //  after the first failure; doubles
#define WEFT_SCHEMA_PAUSE_MOST_MS 30000
#define WEFT_SCHEMA_ABSENT_MS 60000  //  until an unknown id is asked again

typedef struct weft_schema_client weft_schema_client_t;

typedef struct {
    const char *url;         //  "http://host:8081"
    const char *login_file;  //  holds user:password; "": none
    const char *ca_file;     //  "": the system's
    const char *cache;       //  folder of what it answered; "": none
    int64_t timeout_ms;      //  of one request
} weft_schema_client_config_t;

typedef enum {
    WEFT_SCHEMA_KNOWN,   //  weft_schema_client_text has it
    WEFT_SCHEMA_COMING,  //  asked, or to be asked again
    WEFT_SCHEMA_ABSENT,  //  the registry does not know it, or has no Avro there
} weft_schema_state_t;

typedef struct {
    uint64_t requests, failures;
    uint32_t known;      //  ids with a schema
    uint32_t conflicts;  //  of those, with more than one
    bool down;           //  the last request has failed
} weft_schema_stats_t;

//  Returns new: a client, with what the cache holds. NULL with a reason if the
//  login cannot be read or the folder cannot be made. Borrows nothing.
WEFT_NEW weft_schema_client_t *
weft_schema_client_new (const weft_schema_client_config_t *config,
                        char why[WEFT_SCHEMA_WHY]);

void weft_schema_client_destroy (weft_schema_client_t **self_p);

//  What is known of an id; the first time, the registry is asked, too.
weft_schema_state_t weft_schema_client_ask (weft_schema_client_t *self,
                                            uint32_t id);

//  Schema `i` of an id, from 0; NULL if there is none. More than one: the
//  registry has changed its mind. Borrows until another id is asked for.
const char *weft_schema_client_text (const weft_schema_client_t *self,
                                     uint32_t id,
                                     size_t i,
                                     size_t *size);

//  Moves requests on. Call it every turn while something is coming.
void weft_schema_client_turn (weft_schema_client_t *self, int64_t now_ms);

//  Waits up to so long for an answer: for tools, not for a loop.
void weft_schema_client_wait (weft_schema_client_t *self, int timeout_ms);

//  Why an id is not known (yet).
const char *weft_schema_client_why (const weft_schema_client_t *self,
                                    uint32_t id);

weft_schema_stats_t weft_schema_client_stats (const weft_schema_client_t *self);

#endif
