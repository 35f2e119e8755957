"""The tiny model's numbers: config.json and generation_config.json as Python dicts."""

BLOCK = 32           # positions per block
SPECIAL_FROM = 1000  # id of the first special token; as many ordinary tokens stand before it

CONFIG = dict(
    architectures=["LLaDA2MoeModelLM"], model_type="llada2_moe", vocab_size=1024, hidden_size=256,
    intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    head_dim=64, partial_rotary_factor=0.5, rotary_dim=32, rope_theta=600000, rope_scaling=None,
    max_position_embeddings=4096, rms_norm_eps=1e-6, hidden_act="silu", num_experts=16,
    num_experts_per_tok=4, num_shared_experts=1, n_group=4, topk_group=2, routed_scaling_factor=2.5,
    moe_intermediate_size=64, first_k_dense_replace=1, norm_topk_prob=True, score_function="sigmoid",
    router_dtype="fp32", moe_router_enable_expert_bias=True, use_qk_norm=True, use_qkv_bias=False,
    use_bias=False, use_rmsnorm=True, norm_head=False, tie_word_embeddings=False,
    torch_dtype="bfloat16", pad_token_id=SPECIAL_FROM + 1, eos_token_id=SPECIAL_FROM + 1,
    mask_token_id=SPECIAL_FROM + 4)
EOS, MASK = CONFIG["eos_token_id"], CONFIG["mask_token_id"]

GENERATION = dict(eos_token_id=EOS, pad_token_id=EOS, temperature=0.0, block_length=BLOCK, steps=32,
                  threshold=0.95)
GEN_LENGTH = 96  # with which the checkpoint is evaluated
