//  weft peek - shows what is in alert packets, in the contract's terms.

#include <jansson.h>

#include "commands.h"
#include "weft_cli.h"
#include "weft_hash.h"
#include "weft_join.h"
#include "weft_packets.h"

static const char help[] =
    "usage: weft peek [--schemas DIR] [--mappings DIR] PATH...\n\n"
    "Prints one JSON object per alert, in input order, with the names of\n"
    "alert.v1 and `path`. PATH is an Avro container (ZTF), a Confluent-framed\n"
    "packet (LSST), a folder (all files under it, sorted), a tar archive of\n"
    "such, - for standard input, or kafka://HOST:PORT/TOPIC: what the topic\n"
    "has now. No group is joined there and nothing is committed; `path` is\n"
    "topic/partition/offset. Behind it: ?last=N, the last N messages of each\n"
    "partition, and properties of librdkafka, whose value @FILE is read from\n"
    "that file: kafka://h:9093/t?last=3&security.protocol=SSL. Passwords and\n"
    "secrets come from files only: sasl.password=@FILE. Where a file holds\n"
    "several alerts, `path` is path#n.\n\n"
    "`points` is the light curve in this packet alone, cut to the alert: no\n"
    "row after it, no kind twice in an exposure. `filter` names `band`.\n"
    "64-bit numbers are strings. A packet that cannot be read is printed as\n"
    "{\"path\":..., \"refused\":\"why\"}.\n\n"
    "  --schemas DIR   schemas of Confluent-framed packets: a folder with\n"
    "                  .avsc files, nested as the survey publishes them or\n"
    "                  flat and self-contained\n"
    "  --mappings DIR  mapping files (*.map) of surveys that are not built "
    "in\n\n"
    "Exit: 0 all decoded, 1 failed, 2 usage, 3 some were refused.\n";

typedef struct {
    weft_curve_t curve;
    weft_view_t *view;
} peek_t;

//  Where the packet is: no store, the file itself.
static void
fill_raw_ref (weft_alert_v1_t *alert,
              const weft_message_t *message,
              const weft_decoded_t *item,
              uint8_t sum[32])
{
    weft_raw_ref_v1_t *ref = &alert->raw_ref;
    weft_bin_t first = { sum, 8 };
    weft_sha256 (message->data, message->size, sum);
    WEFT_SET (raw_ref_v1, ref, segment, 0);
    WEFT_SET (raw_ref_v1, ref, offset, 0);
    WEFT_SET (raw_ref_v1, ref, length, (uint32_t)message->size);
    WEFT_SET (raw_ref_v1, ref, sha256_8, first);
    WEFT_SET (raw_ref_v1, ref, topic, weft_str (message->path));
    WEFT_SET (raw_ref_v1, ref, position,
              (int64_t)(message->place.item + item->index));
    WEFT_MARK (alert_v1, alert, raw_ref);
}

static int
peek (void *arg,
      const weft_message_t *message,
      const weft_decoded_t *item,
      const char *path)
{
    peek_t *self = arg;
    uint8_t sum[32];
    if (item->rc) {
        weft_packets_refuse (path, item->why);
        return 0;
    }
    weft_normal_t *normal = item->normal;
    const weft_view_rule_t all = { 0 };
    weft_curve_clear (&self->curve);
    int rc =
        weft_curve_merge (&self->curve, normal->rows, normal->n_rows, NULL);
    if (!rc)
        rc = weft_join (normal, &self->curve, &all, self->view);
    if (rc)
        return rc;
    fill_raw_ref (&normal->alert, message, item, sum);
    json_t *line = json_object ();
    json_t *body = weft_contract_json (&weft_alert_v1, &normal->alert);
    json_object_set_new (line, "path", weft_cli_text (path, strlen (path)));
    if (json_object_update_new (line, body)) {
        json_decref (line);
        return WEFT_ENOMEM;
    }
    weft_packets_name_bands (line);
    return weft_packets_print (line);
}

int
weft_cmd_peek (int argc, char *argv[])
{
    peek_t self = { .view = weft_view_new () };
    if (!self.view)
        return 1;
    int code = weft_packets (argc, argv, help, peek, &self);
    weft_view_destroy (&self.view);
    weft_curve_fini (&self.curve);
    return code;
}
