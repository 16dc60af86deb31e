//  sim_record.c - the records of a packet, their schema and their Avro.

#include "sim_record.h"
#include "weft_hash.h"

#define FIELD(kind, name) { #name, offsetof (STRUCT, name), SIM_KIND_##kind },
#define STRUCT sim_candidate_t
static const sim_avro_field_t candidate_fields[] = {
#include "sim_candidate.def"
};
#undef STRUCT
#define STRUCT sim_prv_t
static const sim_avro_field_t prv_fields[] = {
#include "sim_prv.def"
};
#undef STRUCT
#define STRUCT sim_fp_t
static const sim_avro_field_t fp_fields[] = {
#include "sim_fp.def"
};
#undef STRUCT
#undef FIELD

void
sim_prv_clear (sim_prv_t *row)
{
    sim_avro_clear (row, prv_fields, WEFT_COUNT (prv_fields));
}

void
sim_record_schema (weft_buf_t *out)
{
    sim_avro_text (out, "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":"
                        "\"ztf\",\"version\":\"4.02\",\"fields\":["
                        "{\"name\":\"schemavsn\",\"type\":\"string\"},"
                        "{\"name\":\"publisher\",\"type\":\"string\"},"
                        "{\"name\":\"objectId\",\"type\":\"string\"},"
                        "{\"name\":\"candid\",\"type\":\"long\"},"
                        "{\"name\":\"candidate\",\"type\":{\"type\":\"record\","
                        "\"name\":\"candidate\",\"namespace\":\"ztf.alert\","
                        "\"fields\":[");
    sim_avro_fields (out, candidate_fields, WEFT_COUNT (candidate_fields));
    sim_avro_text (out,
                   "]}},{\"name\":\"prv_candidates\",\"type\":[\"null\","
                   "{\"type\":\"array\",\"items\":{\"type\":\"record\","
                   "\"name\":\"prv_candidate\",\"namespace\":\"ztf.alert\","
                   "\"fields\":[");
    sim_avro_fields (out, prv_fields, WEFT_COUNT (prv_fields));
    sim_avro_text (out, "]}}]},{\"name\":\"fp_hists\",\"type\":[\"null\","
                        "{\"type\":\"array\",\"items\":{\"type\":\"record\","
                        "\"name\":\"fp_hist\",\"namespace\":\"ztf.alert\","
                        "\"fields\":[");
    sim_avro_fields (out, fp_fields, WEFT_COUNT (fp_fields));
    sim_avro_text (out, "]}}]},{\"name\":\"cutoutScience\",\"type\":[\"null\","
                        "{\"type\":\"record\",\"name\":\"cutout\","
                        "\"namespace\":\"ztf.alert\",\"fields\":["
                        "{\"name\":\"fileName\",\"type\":\"string\"},"
                        "{\"name\":\"stampData\",\"type\":\"bytes\"}]}]},"
                        "{\"name\":\"cutoutTemplate\",\"type\":[\"null\","
                        "\"ztf.alert.cutout\"]},"
                        "{\"name\":\"cutoutDifference\",\"type\":[\"null\","
                        "\"ztf.alert.cutout\"]}]}");
}

static void
add_datum (weft_buf_t *out, const sim_record_t *self)
{
    static const char version[] = "4.02", publisher[] = "Weft simulator";
    sim_avro_bytes (out, version, sizeof version - 1);
    sim_avro_bytes (out, publisher, sizeof publisher - 1);
    sim_avro_bytes (out, self->object_id, strlen (self->object_id));
    sim_avro_long (out, self->candid);
    sim_avro_record (out, &self->candidate, candidate_fields,
                     WEFT_COUNT (candidate_fields));
    sim_avro_rows (out, self->prv, self->n_prv, sizeof self->prv[0], prv_fields,
                   WEFT_COUNT (prv_fields));
    sim_avro_rows (out, self->fp, self->n_fp, sizeof self->fp[0], fp_fields,
                   WEFT_COUNT (fp_fields));
    for (int i = 0; i < SIM_N_STAMPS; i++) {
        const sim_stamp_t *stamp = &self->stamps[i];
        sim_avro_long (out, stamp->data != NULL);
        if (!stamp->data)
            continue;
        sim_avro_bytes (out, stamp->name, strlen (stamp->name));
        sim_avro_bytes (out, stamp->data, stamp->size);
    }
}

void
sim_record_header (const char *schema, weft_buf_t *out)
{
    weft_buf_add (out, "Obj\1", 4);
    sim_avro_long (out, 2);
    sim_avro_bytes (out, "avro.schema", 11);
    sim_avro_bytes (out, schema, strlen (schema));
    sim_avro_bytes (out, "avro.codec", 10);
    sim_avro_bytes (out, "null", 4);
    sim_avro_long (out, 0);
}

void
sim_record_encode (const sim_record_t *self,
                   const weft_buf_t *header,
                   weft_buf_t *scratch,
                   weft_buf_t *out)
{
    //  The sync marker is any 16 bytes; from the id, so that a packet that is
    //  made again is the same.
    uint8_t sync[16];
    weft_put_u64 (sync, weft_hash_u64 ((uint64_t)self->candid));
    weft_put_u64 (sync + 8, weft_hash_u64 ((uint64_t)self->candid ^ 0x55));
    weft_buf_clear (scratch);
    add_datum (scratch, self);
    if (scratch->error) {
        out->error = scratch->error;
        return;
    }
    weft_buf_add (out, header->data, header->size);
    weft_buf_add (out, sync, sizeof sync);
    sim_avro_long (out, 1);
    sim_avro_bytes (out, scratch->data, scratch->size);
    weft_buf_add (out, sync, sizeof sync);
}
