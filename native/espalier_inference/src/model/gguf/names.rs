//! The names of tensors: Hugging Face's and llama.cpp's.

const WHOLE: [(&str, &str); 3] =
    [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output")];

/// The parts of a layer.
const PARTS: [(&str, &str); 13] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("mlp.gate_up_proj", "ffn_up"),
];

/// The norms of a layer in which outputs have some, too.
const WITH_OUTPUT_NORMS: [(&str, &str); 3] = [
    ("post_attention_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];

/// The name in a GGUF file of the tensor that safetensors files have under this name.
pub(super) fn in_gguf(name: &str, output_norms: bool) -> String {
    known(name, output_norms).unwrap_or_else(|| name.to_owned())
}

fn known(name: &str, output_norms: bool) -> Option<String> {
    let (part, kind) = name.rsplit_once('.')?;
    let in_layer = part.strip_prefix("model.layers.").and_then(|part| part.split_once('.'));
    let (list, part) = match in_layer {
        Some((_, part)) => (&PARTS[..], part),
        None => (&WHOLE[..], part),
    };
    let others = if output_norms { &WITH_OUTPUT_NORMS[..] } else { &[] };
    let (_, part) = others.iter().chain(list).find(|(known, _)| *known == part)?;
    Some(match in_layer {
        Some((index, _)) => format!("blk.{index}.{part}.{kind}"),
        None => format!("{part}.{kind}"),
    })
}

#[cfg(test)]
mod tests {
    use super::in_gguf;

    #[test]
    fn names_are_translated() {
        for (ours, theirs) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("lm_head.weight", "output.weight"),
            ("model.layers.31.self_attn.q_proj.bias", "blk.31.attn_q.bias"),
            ("model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"),
            ("else", "else"),
        ] {
            assert_eq!(in_gguf(ours, false), theirs);
        }
    }
}
