//  weft_models_retain.c - old versions of a model go.

#include "weft_models.h"

//  KEYS: versions, numbers, current, candidate, moves, shadows, refused. ARGV:
//  what is kept, what a version's key begins with, how many moves back a version
//  may still be wanted. Issuing it again finds nothing more to do.
//
//  Numbers are never taken back: the next one is counted by them.
static const char retain_script[] =
    "local all = redis.call ('ZRANGE', KEYS[1], 0, -1)\n"
    "local over, kept, number = #all - tonumber (ARGV[1]), {}, {}\n"
    "if over <= 0 then return 0 end\n"
    "kept[redis.call ('GET', KEYS[3]) or ''] = true\n"
    "kept[redis.call ('GET', KEYS[4]) or ''] = true\n"
    "for _, move in ipairs (redis.call ('ZREVRANGE', KEYS[5], 0,\n"
    "    ARGV[3] - 1)) do\n"
    "  kept[string.match (move, '^%d+ (%S+)') or ''] = true end\n"
    "for _, version in ipairs (redis.call ('ZRANGE', KEYS[6], 0, -1)) do\n"
    "  kept[version] = true end\n"
    "for _, version in ipairs (all) do number[version] =\n"
    "  tonumber (redis.call ('HGET', KEYS[2], version) or 0) end\n"
    "table.sort (all, function (a, b)\n"
    "  if number[a] ~= number[b] then return number[a] < number[b] end\n"
    "  return a < b end)\n"
    "local gone = 0\n"
    "for _, version in ipairs (all) do\n"
    "  if gone < over and not kept[version] then\n"
    "    redis.call ('DEL', ARGV[2] .. version)\n"
    "    redis.call ('ZREM', KEYS[1], version)\n"
    "    redis.call ('HDEL', KEYS[7], version)\n"
    "    gone = gone + 1\n"
    "  end\n"
    "end\n"
    "return gone\n";

void
weft_model_retain (weft_batch_t *batch, weft_str_t name)
{
    static const char *const keys[] = { "versions",  "numbers", "current",
                                        "candidate", "moves",   "shadows",
                                        "refused" };
    weft_batch_script (batch, retain_script, WEFT_COUNT (keys), 3);
    for (size_t i = 0; i < WEFT_COUNT (keys); i++)
        weft_batch_argf (batch, "model:%.*s:%s", (int)name.n, name.p, keys[i]);
    weft_batch_int (batch, WEFT_MODEL_KEPT);
    weft_batch_argf (batch, "model:%.*s:", (int)name.n, name.p);
    weft_batch_int (batch, WEFT_MODEL_MOVES_KEPT);
}
