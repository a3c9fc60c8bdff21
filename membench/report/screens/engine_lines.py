"""Compute the settings of vLLM, SGLang, LMCache and Dynamo for cache tiers of given sizes."""

from __future__ import annotations

from collections.abc import Mapping

from membench.thesis.models.kv_shape import KvDtype

_GIB = 2**30
_GB = 1e9
_VLLM = {
    KvDtype.FP16: "auto",
    KvDtype.BF16: "auto",
    KvDtype.FP8: "fp8",
    KvDtype.FP8_DS_MLA: "fp8_ds_mla",
}
_SGLANG = {
    KvDtype.FP16: "auto",
    KvDtype.BF16: "auto",
    KvDtype.FP8: "fp8_e4m3",
    KvDtype.FP8_DS_MLA: "fp8_e4m3",
}


def engine_lines(
    *,
    dtype: KvDtype,
    block_tokens: int,
    tp: int,
    host_bytes: float | None,
    disk_bytes: float | None,
    second: bool = False,
) -> Mapping[str, tuple[str, ...]]:
    """Engine -> command-line options or environment variables for the tiers.

    Source: the engines' manuals in 2026. vLLM's native offloading takes GiB over all ranks.
    SGLang's HiCache and LMCache take GB per rank. Dynamo's KVBM takes GB over all ranks.

    Args:
        host_bytes, disk_bytes: capacity of the tier over all ranks; None if there is no such tier.
        second: whether the disk tier admits a block only on the second request for this block.
    """
    found: dict[str, tuple[str, ...]] = {}
    base = f"--kv-cache-dtype {_VLLM[dtype]} --block-size {block_tokens} --enable-prefix-caching"
    vllm = [base]
    if host_bytes is not None:
        size = int(host_bytes // _GIB)
        vllm.append(f"--kv-offloading-backend native --kv-offloading-size {size}")
    found["vllm serve"] = tuple(vllm)
    sglang = [f"--kv-cache-dtype {_SGLANG[dtype]} --page-size {block_tokens}"]
    if host_bytes is not None:
        policy = "write_through_selective" if second else "write_through"
        sglang.append(
            f"--enable-hierarchical-cache --hicache-size {int(host_bytes / tp // _GB)} "
            f"--hicache-write-policy {policy}"
        )
    if disk_bytes is not None:
        sglang.append("--hicache-storage-backend file")
    found["sglang"] = tuple(sglang)
    if host_bytes is not None:
        chunk = max(256, block_tokens)
        lmcache = [
            f"LMCACHE_CHUNK_SIZE={chunk}",
            "LMCACHE_LOCAL_CPU=True",
            f"LMCACHE_MAX_LOCAL_CPU_SIZE={int(host_bytes / tp // _GB)}",
        ]
        dynamo = [f"DYN_KVBM_CPU_CACHE_GB={int(host_bytes // _GB)}"]
        if disk_bytes is not None:
            lmcache += [
                "LMCACHE_LOCAL_DISK=file:///mnt/kv",
                f"LMCACHE_MAX_LOCAL_DISK_SIZE={int(disk_bytes / tp // _GB)}",
            ]
            dynamo.append(f"DYN_KVBM_DISK_CACHE_GB={int(disk_bytes // _GB)}")
            if not second:
                dynamo.append("DYN_KVBM_DISABLE_DISK_OFFLOAD_FILTER=true")
        found["lmcache"] = tuple(lmcache)
        found["dynamo kvbm"] = tuple(dynamo)
    return found
