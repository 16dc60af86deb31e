//  weft_contracts.c - the tables of all contracts, and finding one by name.

#include "weft_contracts.h"

//  The same list once more, now for the tables.
#define WEFT_CONTRACT_TABLES
#undef WEFT_CONTRACTS_H_INCLUDED
#include "weft_contracts.h"

static const weft_contract_t *const all[] = {
    &weft_envelope_v1, &weft_alert_v1,   &weft_points_v1, &weft_raw_ref_v1,
    &weft_ps1_v1,      &weft_gaia_v1,    &weft_sso_v1,    &weft_stamps_v1,
    &weft_matches_v1,  &weft_catalog_v1, &weft_match_v1,  &weft_name_v1,
    &weft_features_v1, &weft_scores_v1,  &weft_score_v1,  &weft_query_v1,
    &weft_label_v1,    &weft_model_v1,   &weft_event_v1,  &weft_dead_v1,
};

const weft_contract_t *
weft_contract_at (size_t index)
{
    return index < WEFT_COUNT (all) ? all[index] : NULL;
}

const weft_contract_t *
weft_contract_find (const char *name)
{
    for (size_t i = 0; i < WEFT_COUNT (all); i++)
        if (strcmp (all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
