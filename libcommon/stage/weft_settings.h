//  weft_settings.h - the options that every service has, in one struct.
//
//  The sections service, http, redis and link of a service's file, and the
//  service's own options. Loaded whole or not at all; a reload makes a second
//  one beside the first. Belongs to the loop's thread; read only once loaded.

#ifndef WEFT_SETTINGS_H_INCLUDED
#define WEFT_SETTINGS_H_INCLUDED

#include "weft_log.h"
#include "weft_stage.h"

typedef struct {
    struct {
        char *name;
        char *log_level;
        char *data_dir;
    } service;
    struct {
        char *address;
        bool insecure;
    } http;
    struct {
        char *address;
        weft_texts_t cluster;
        bool ephemeral;
        char *user;
        char *password_file;
        bool tls;
        char *tls_ca;
        char *tls_certificate;
        char *tls_key;
        int64_t dead_letter_bytes;
    } redis;
    struct {
        weft_texts_t upstreams;
        char *bind;
        bool insecure;
        char *keys;
        weft_texts_t outputs;
        weft_texts_t samples;
        char *tap;
        int64_t window;
        int64_t window_bytes;
        int64_t custody;
        int64_t custody_bytes;
        int64_t max_age_s;
        int64_t beat_ms;
        int64_t stall_ms;
        int64_t drain_ms;
        int64_t largest;
        int64_t max_peers;
        int64_t io_threads;
    } link;
    void *options;  //  spec->options, filled
    char *bulk;     //  redis.cluster, or redis.address, for weft_redis_new
    weft_level_t level;
    uint64_t hash;  //  of the file
    int copy_fd;    //  what the file was, for the isolation child; -1: no file
    const weft_stage_spec_t *spec;
} weft_settings_t;

//  Returns new: the settings of a service from `path` (NULL: defaults and
//  overrides) or NULL with `why`, one sentence.
WEFT_NEW weft_settings_t *weft_settings_load (const weft_stage_spec_t *spec,
                                              const char *path,
                                              char *why,
                                              size_t room);

void weft_settings_destroy (weft_settings_t **self_p);

//  As whom, and how, to connect to Redis. Borrows.
weft_redis_config_t weft_settings_login (const weft_settings_t *self);

//  What of `next` cannot be taken over while the service runs, compared with
//  `self`: the name of the first such option, or NULL.
const char *weft_settings_fixed (const weft_settings_t *self,
                                 const weft_settings_t *next);

//  The Markdown table of all options of a service.
void weft_settings_describe (const weft_stage_spec_t *spec, FILE *out);

#endif
