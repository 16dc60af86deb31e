//  weft_ingest.h - the head of the mesh: reads, normalises, joins, books.
//
//  A source in the terms of weft_stage.h: the runtime pulls alerts from it and
//  tells it what became of each. Everything runs in the loop's thread.
//
//  pull:   read and decode a batch -> ledger (received?) and histories in one
//          round trip -> merge and write back -> alert.v1 with the view ->
//          into the mesh. What cannot be decoded is a dead letter.
//  settle: ledger and seen in one round trip, with the duplicates that waited.

#ifndef WEFT_INGEST_H_INCLUDED
#define WEFT_INGEST_H_INCLUDED

#include "weft_stage.h"

typedef struct {
    weft_texts_t inputs;        //  files, folders, tar archives
    char *schemas;              //  folder of schemas, "" = none
    char *mappings;             //  folder of mapping files, "" = none
    char *registry;             //  URL of a schema registry, "" = none
    char *registry_login_file;  //  user:password, "" = none
    char *registry_ca_file;     //  "" = the system's
    char *name;                 //  of the input, in the ledger
    char *share;                //  "1/1": which of how many
    double rate;                //  alerts a second, 0 = as fast as they settle
    bool nonpublic;             //  keep rows of other programmes
    bool stay;                  //  run on when everything is read
    char *pause_on_schema;      //  "true", "false", "" = Kafka only
    double forced_days, limit_days;
    int64_t rows_most;
    int64_t history_rows;  //  of one object in Redis
    double history_days;   //  back from its newest row, 0: all
    double idle_days;      //  a history goes that long after its last change
    bool ownership;     //  LSST: sources belong to the newest version's object
    double owner_days;  //  how long that is remembered
    char *store;        //  folder of the packet store, "" = in data_dir, "off"
    double store_days;
    int64_t store_bytes, store_free, store_segment;
    bool store_hold;      //  wait while packets cannot be stored
    char *store_address;  //  host:port at which others ask for packets
    //  Kafka in the place of inputs.
    char *brokers;
    weft_texts_t topics;
    char *group, *member, *start;
    char *security, *sasl, *user, *password_file, *token_file;
    char *ca_file;
    int64_t prefetch_mb, rebalance_ms, discover_s, backlog_from;
    double backlog_share;
    weft_texts_t kafka, kafka_files;
} weft_ingest_options_t;

extern const weft_option_t weft_ingest_options[];
extern const weft_source_t weft_ingest_source;

//  The callbacks of weft_stage_spec_t.
WEFT_CHECK int weft_ingest_open (void **self_p, const weft_stage_env_t *env);
void weft_ingest_close (void **self_p);
void weft_ingest_beat (void *self, int64_t now_ms);
bool weft_ingest_ready (void *self, char *why, size_t room);

#endif
