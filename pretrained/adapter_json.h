// Which adapters a model has, as a checkpoint says it: {"rank": 16, "scale": 2, "targets": ["q_proj", ...]}.
#ifndef PRETRAINED_ADAPTER_JSON_H
#define PRETRAINED_ADAPTER_JSON_H

#include "json/json.h"
#include "model/adapters.h"

json_t *adapters_to_json(const Adapters *adapters); // NULL after fail()
json_t *adapter_targets_json(const Adapters *adapters);
bool adapters_from_json(Adapters *adapters, const json_t *saved, const char *where); // where: for errors

#endif
