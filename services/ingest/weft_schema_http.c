//  weft_schema_http.c - libcurl's multi interface with one handle.

#include <curl/curl.h>

#include "weft_schema_http.h"

#define BODY_MOST (2u * WEFT_AVRO_TEXT_MOST + 65536)  //  JSON in JSON
#define URL_ROOM 2048

struct weft_schema_http {
    char *url, *login, *ca_file;
    int64_t timeout_ms;
    CURLM *multi;
    CURL *easy;
    bool busy;
    char *body;
    size_t size;
    char error[CURL_ERROR_SIZE];
};

//  The file's first line: user:password.
static char *
read_login (const char *path)
{
    char line[512] = "";
    FILE *file = fopen (path, "r");
    if (!file)
        return NULL;
    bool good = fgets (line, sizeof (line), file) != NULL;
    (void)fclose (file);
    line[strcspn (line, "\r\n")] = 0;
    return good && strchr (line, ':') ? strdup (line) : NULL;
}

static int
copy_config (weft_schema_http_t *self,
             const weft_schema_client_config_t *config,
             char *why)
{
    self->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : 5000;
    self->url = strdup (config->url);
    self->ca_file = strdup (config->ca_file ? config->ca_file : "");
    if (!self->url || !self->ca_file)
        return WEFT_ENOMEM;
    size_t size = strlen (self->url);
    while (size && self->url[size - 1] == '/')
        self->url[--size] = 0;
    if (!config->login_file || !*config->login_file)
        return 0;
    self->login = read_login (config->login_file);
    if (self->login)
        return 0;
    snprintf (why, WEFT_SCHEMA_WHY,
              "%.200s: expected user:password in its first line",
              config->login_file);
    return WEFT_ECONFIG;
}

weft_schema_http_t *
weft_schema_http_new (const weft_schema_client_config_t *config,
                      char why[WEFT_SCHEMA_WHY])
{
    snprintf (why, WEFT_SCHEMA_WHY, "out of memory");
    weft_schema_http_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->body = malloc (BODY_MOST);
    self->multi = curl_multi_init ();
    if (!self->body || !self->multi || copy_config (self, config, why))
        weft_schema_http_destroy (&self);
    return self;
}

void
weft_schema_http_destroy (weft_schema_http_t **self_p)
{
    weft_schema_http_t *self = *self_p;
    if (!self)
        return;
    if (self->easy && self->busy)
        (void)curl_multi_remove_handle (self->multi, self->easy);
    if (self->easy)
        curl_easy_cleanup (self->easy);
    if (self->multi)
        (void)curl_multi_cleanup (self->multi);
    free (self->body);
    free (self->url);
    free (self->login);
    free (self->ca_file);
    free (self);
    *self_p = NULL;
}

const char *
weft_schema_http_url (const weft_schema_http_t *self)
{
    return self->url;
}

static size_t
take_body (char *data, size_t one, size_t size, void *arg)
{
    weft_schema_http_t *self = arg;
    size *= one;
    if (size > BODY_MOST - self->size)
        return 0;
    memcpy (self->body + self->size, data, size);
    self->size += size;
    return size;
}

static void
set_options (weft_schema_http_t *self, const char *url)
{
    CURL *easy = self->easy;
    curl_easy_setopt (easy, CURLOPT_URL, url);
    curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long)self->timeout_ms);
    curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, self->error);
    //  The registry is a neighbour: no proxy of the environment in between.
    curl_easy_setopt (easy, CURLOPT_PROXY, "");
    if (self->login)
        curl_easy_setopt (easy, CURLOPT_USERPWD, self->login);
    if (*self->ca_file)
        curl_easy_setopt (easy, CURLOPT_CAINFO, self->ca_file);
}

bool
weft_schema_http_begin (weft_schema_http_t *self, uint32_t id)
{
    char url[URL_ROOM];
    int n = snprintf (url, sizeof (url), "%s/schemas/ids/%u", self->url, id);
    if (!self->easy)
        self->easy = curl_easy_init ();
    if (!self->easy || n < 0 || (size_t)n >= sizeof (url))
        return false;
    curl_easy_reset (self->easy);
    set_options (self, url);
    self->size = 0;
    *self->error = 0;
    self->busy = curl_multi_add_handle (self->multi, self->easy) == CURLM_OK;
    return self->busy;
}

bool
weft_schema_http_busy (const weft_schema_http_t *self)
{
    return self->busy;
}

bool
weft_schema_http_turn (weft_schema_http_t *self, weft_schema_reply_t *reply)
{
    int running, left;
    CURLMsg *message;
    if (!self->busy)
        return false;
    (void)curl_multi_perform (self->multi, &running);
    while ((message = curl_multi_info_read (self->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        *reply = (weft_schema_reply_t){ .error = "",
                                        .body = self->body,
                                        .size = self->size };
        (void)curl_multi_remove_handle (self->multi, self->easy);
        self->busy = false;
        if (code)
            reply->error =
                *self->error ? self->error : curl_easy_strerror (code);
        else
            (void)curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE,
                                     &reply->status);
        return true;
    }
    return false;
}

void
weft_schema_http_wait (weft_schema_http_t *self, int timeout_ms)
{
    if (self->busy)
        (void)curl_multi_poll (self->multi, NULL, 0, timeout_ms, NULL);
}
