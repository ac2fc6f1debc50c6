"""The networks and techniques that have a paper, which tests ask for; a file that is added needs none."""

NETWORKS = (
    "attention_squeeze_unet", "cgnet", "contextnet", "dabnet", "edanet", "efficientnet", "enet",
    "erfnet", "esnet", "espnetv2", "fpenet", "fssnet", "linknet", "micronet", "mobilenet_v3_small",
    "segnet", "sqnet", "squeeze_unet", "unet",
)  # fmt: skip
TECHNIQUES = (
    "activation_checkpointing", "adam_8bit", "adamw_fused", "amp_8bit", "augment", "baseline", "bce",
    "bf16", "bf16_weights", "brain_slices", "cache", "channels_last", "compile", "cuda_graph",
    "device_cache", "dice_bce", "distill", "early_stop", "eighth_resolution", "ema", "focal",
    "fp16_amp", "fp32_ieee", "fp8", "grad_accumulate", "green", "half_resolution", "half_weights",
    "half_weights_8bit", "int8_qat", "lr_find", "mcc", "muon", "novograd", "novograd_amsgrad",
    "novograd_betas", "novograd_foreach", "one_cycle", "paper", "paper_bce_on_probabilities",
    "persistent_workers", "pin_memory", "plateau", "power_limit_60", "power_limit_80", "prefetch",
    "progressive_resize", "prune", "prune_unstructured", "quarter_resolution", "schedule_free",
    "sparse_2_4", "swa", "tf32", "workers_2", "workers_4", "workers_6", "workers_8",
)  # fmt: skip
