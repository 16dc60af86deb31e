//  weft_webhook_request.c - one POST request: options, headers, verdict.

#include <curl/curl.h>
#include <openssl/evp.h>

#include "weft_hash.h"
#include "weft_time.h"
#include "weft_webhook_request.h"
#include "weft_webhook_rules.h"

#define ANSWER_MOST (1u << 20)  //  bytes of an answer that are read at all

void
weft_request_sign (const char *secret,
                   int64_t seconds,
                   const char *body,
                   size_t size,
                   char out[WEFT_SIGNATURE_MOST])
{
    char stamp[24], hex[65] = "";
    unsigned char mac[32];
    size_t n = sizeof mac;
    snprintf (stamp, sizeof stamp, "%lld.", (long long)seconds);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key (
        EVP_PKEY_HMAC, NULL, (const unsigned char *)secret, strlen (secret));
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    if (key && context &&
        EVP_DigestSignInit (context, NULL, EVP_sha256 (), NULL, key) == 1 &&
        EVP_DigestSignUpdate (context, stamp, strlen (stamp)) == 1 &&
        EVP_DigestSignUpdate (context, body, size) == 1 &&
        EVP_DigestSignFinal (context, mac, &n) == 1)
        weft_hex (mac, n, hex);
    EVP_MD_CTX_free (context);
    EVP_PKEY_free (key);
    snprintf (out, WEFT_SIGNATURE_MOST, "t=%lld,v1=%s", (long long)seconds,
              hex);
}

//  Keeps the first words of an answer, reads over the rest up to a ceiling.
static size_t
read_answer (char *data, size_t one, size_t n, void *arg)
{
    weft_request_t *self = arg;
    size_t size = one * n, room = sizeof self->word - 1 - self->kept;
    size_t take = WEFT_MIN (size, room);
    for (size_t i = 0; i < take; i++) {
        unsigned char c = (unsigned char)data[i];
        self->word[self->kept + i] = (char)(c < ' ' || c > '~' ? ' ' : c);
    }
    self->kept += take;
    self->word[self->kept] = 0;
    self->received += size;
    return self->received > ANSWER_MOST ? 0 : size;
}

//  No redirects, no proxy from the environment, TLS always checked.
static CURL *
make_easy (weft_request_t *self, const weft_poster_config_t *config)
{
    CURL *easy = curl_easy_init ();
    if (!easy)
        return NULL;
    curl_easy_setopt (easy, CURLOPT_URL, config->url);
    curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
    //  A name that cannot be resolved must not hold up the end.
    curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt (easy, CURLOPT_PROXY, "");
    curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt (easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt (easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (config->ca_file[0])
        curl_easy_setopt (easy, CURLOPT_CAINFO, config->ca_file);
    curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS,
                      (long)config->connect_ms);
    curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long)config->timeout_ms);
    curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, read_answer);
    curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
    return easy;
}

static bool
add_header (weft_request_t *self, const char *name, const char *value)
{
    char line[1400];
    snprintf (line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append (self->headers, line);
    if (more)
        self->headers = more;
    return more;
}

//  A request without its key would be the worst of all: all headers or none.
static bool
make_headers (weft_request_t *self,
              const weft_poster_config_t *config,
              const weft_row_t *row)
{
    char number[16], signature[WEFT_SIGNATURE_MOST], bearer[1100];
    snprintf (number, sizeof number, "%u", row->attempts);
    snprintf (bearer, sizeof bearer, "Bearer %s", config->token);
    weft_request_sign (config->secret, (int64_t)weft_time_utc (), row->payload,
                       row->payload_size, signature);
    curl_slist_free_all (self->headers);
    self->headers = curl_slist_append (NULL, "Expect:");
    return self->headers &&
           add_header (self, "Content-Type", "application/json") &&
           add_header (self, "User-Agent", "weft/" WEFT_VERSION) &&
           add_header (self, "Idempotency-Key", row->key) &&
           add_header (self, "Weft-Attempt", number) &&
           add_header (self, "Weft-Signature", signature) &&
           (!config->token[0] || add_header (self, "Authorization", bearer));
}

void *
weft_request_begin (weft_request_t *self,
                    const weft_poster_config_t *config,
                    const weft_row_t *row)
{
    if (!self->easy)
        self->easy = make_easy (self, config);
    if (!self->easy || !make_headers (self, config, row))
        return NULL;
    self->kept = self->received = 0;
    self->word[0] = self->error[0] = 0;
    curl_easy_setopt (self->easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt (self->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                      (curl_off_t)row->payload_size);
    curl_easy_setopt (self->easy, CURLOPT_POSTFIELDS, row->payload);
    return self->easy;
}

void
weft_request_judge (weft_request_t *self,
                    const weft_poster_config_t *config,
                    int code,
                    uint32_t attempts,
                    weft_answer_t *answer)
{
    long status = 0, size = 0;
    curl_off_t wait = 0;
    curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo (self->easy, CURLINFO_REQUEST_SIZE, &size);
    curl_easy_getinfo (self->easy, CURLINFO_RETRY_AFTER, &wait);
    const char *failure =
        self->error[0] ? self->error : curl_easy_strerror ((CURLcode)code);
    weft_exchange_t exchange = {
        .sent = size > 0,
        .status = status >= 200 ? status : 0,
        .wait_s = (double)wait,
        .word = status >= 200 ? self->word : failure,
    };
    weft_webhook_judge (&exchange, attempts, config->tries, answer);
    //  We broke it off before anything went out: nobody's failure.
    if (code == CURLE_ABORTED_BY_CALLBACK && size == 0 && status < 200)
        answer->row_only = answer->unsent = true;
}

void
weft_request_fini (weft_request_t *self)
{
    curl_easy_cleanup (self->easy);
    curl_slist_free_all (self->headers);
    self->easy = NULL;
    self->headers = NULL;
}
