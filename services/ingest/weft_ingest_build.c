//  weft_ingest_build.c - from a decoded position to an alert for the mesh.

#include "weft_ingest_parts.h"

#include "weft_tombstone.h"

#include "weft_time.h"

static int
fail (slot_t *slot, int rc)
{
    if (!*slot->taken.why)
        snprintf (slot->taken.why, sizeof (slot->taken.why), "%s",
                  weft_error_text (rc));
    return rc;
}

void
weft_ingest_raw_ref (const slot_t *slot, weft_raw_ref_v1_t *ref)
{
    const weft_taken_t *taken = &slot->taken;
    weft_bin_t sum = { taken->sha256, 8 };
    weft_packet_raw_ref (&slot->ref, ref);
    //  Segment 0, not stored: what is known of the packet all the same.
    WEFT_SET (raw_ref_v1, ref, length, taken->size);
    WEFT_SET (raw_ref_v1, ref, sha256_8, sum);
    WEFT_SET (raw_ref_v1, ref, topic, slot->booking.topic);
    WEFT_SET (raw_ref_v1, ref, partition, slot->booking.partition);
    WEFT_SET (raw_ref_v1, ref, position, slot->booking.offset);
}

static weft_frame_t *
make_envelope (ingest_t *self, const slot_t *slot)
{
    weft_envelope_v1_t envelope;
    const weft_alert_v1_t *alert = &slot->taken.normal.alert;
    weft_contract_clear (&weft_envelope_v1, &envelope);
    WEFT_SET (envelope_v1, &envelope, survey, alert->survey);
    WEFT_SET (envelope_v1, &envelope, alert_id, alert->alert_id);
    WEFT_SET (envelope_v1, &envelope, object_id, alert->object_id);
    WEFT_SET (envelope_v1, &envelope, topic, slot->booking.topic);
    WEFT_SET (envelope_v1, &envelope, partition, slot->booking.partition);
    WEFT_SET (envelope_v1, &envelope, offset, slot->booking.offset);
    if (!slot->taken.topic)
        WEFT_SET (envelope_v1, &envelope, path, weft_str (slot->taken.path));
    if (slot->taken.t_kafka > 0)
        WEFT_SET (envelope_v1, &envelope, t_kafka, slot->taken.t_kafka);
    WEFT_SET (envelope_v1, &envelope, night, alert->night);
    WEFT_SET (envelope_v1, &envelope, t_obs, alert->t_obs);
    WEFT_SET (envelope_v1, &envelope, t_received, weft_time_mjd_tai ());
    weft_buf_clear (&self->buf);
    if (weft_contract_encode (&weft_envelope_v1, &envelope, &self->buf))
        return NULL;
    return weft_frame_copy (self->buf.data, self->buf.size);
}

static int
make_alert (ingest_t *self, slot_t *slot)
{
    weft_frame_t *envelope = make_envelope (self, slot);
    if (!envelope)
        return WEFT_ENOMEM;
    slot->alert = weft_alert_new (envelope);
    if (!slot->alert)
        return WEFT_ENOMEM;
    weft_buf_clear (&self->buf);
    int rc = weft_contract_encode (&weft_alert_v1, &slot->taken.normal.alert,
                                   &self->buf);
    weft_frame_t *section =
        rc ? NULL : weft_frame_copy (self->buf.data, self->buf.size);
    if (!rc)
        rc = section ? weft_alert_append (slot->alert, section) : WEFT_ENOMEM;
    if (rc)
        weft_alert_unref (&slot->alert);
    return rc;
}

//  The alert's own row must be in its view, also where it may not be stored.
static int
add_trigger (weft_curve_t *curve, const weft_normal_t *normal)
{
    for (size_t i = 0; i < normal->n_rows; i++)
        if (normal->rows[i].kind == WEFT_KIND_D &&
            normal->rows[i].key == normal->trigger) {
            const weft_point_t row = normal->rows[i];
            int rc = weft_curve_add (curve, &row);
            //  Of a source that is another object's by now the alert still says
            //  what it says; the history that is stored has the tombstone.
            const weft_point_t *there =
                rc ? NULL : weft_curve_find (curve, row.kind, row.key);
            if (there && weft_is_tombstone (there))
                curve->rows[there - curve->rows] = normal->rows[i];
            return rc;
        }
    return 0;
}

int
weft_ingest_build (ingest_t *self, slot_t *slot)
{
    weft_normal_t *normal = &slot->taken.normal;
    const weft_ingest_options_t *options = self->options;
    const weft_view_rule_t limits = {
        .public_only = !options->nonpublic,
        .forced_days = options->forced_days,
        .limit_days = options->limit_days,
        .rows_most = (uint32_t)options->rows_most,
    };
    weft_curve_t *curve = weft_objects_curve (self->objects, slot->object);
    int rc = add_trigger (curve, normal);
    if (!rc)
        rc = weft_join (normal, curve, &limits, self->view);
    if (rc)
        return fail (slot, rc);
    weft_ingest_raw_ref (slot, &normal->alert.raw_ref);
    WEFT_MARK (alert_v1, &normal->alert, raw_ref);
    rc = make_alert (self, slot);
    return rc ? fail (slot, rc) : 0;
}
