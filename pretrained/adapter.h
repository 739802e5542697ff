// Adapters as PEFT has them (github.com/huggingface/peft): a folder of adapter_config.json and
// adapter_model.safetensors, which PeftModel.from_pretrained loads onto the model that they were trained for.
#ifndef PRETRAINED_ADAPTER_H
#define PRETRAINED_ADAPTER_H

#include "model/model.h"
#include "pretrained/export.h"

// The model's adapters in fp32; base: the folder of its own weights. As model_folder_export the folder appears complete
// or not at all, and takes the place of an earlier one. before, context: see export_model.
bool adapter_export(const Model *model, const char *base, const char *folder, BeforeRead *before, void *context);

// False for a folder of that name with anything in it that adapter_export does not write.
bool adapter_may_be_replaced(const char *folder);

#endif
