from __future__ import annotations
import json
def test_back(vercel, deployment):
    for step in range(1):
        a = deployment("rolled_back", health_urls=[vercel.health_url()], version_url=vercel.health_url(), check=True)
        print(json.dumps(a, indent=1)); print(vercel.requests); vercel.requests.clear()
        a = deployment("rolled_back", health_urls=[vercel.health_url()], version_url=vercel.health_url())
        print(json.dumps(a, indent=1)); print(vercel.requests)
        a = deployment("rolled_back", health_urls=[vercel.health_url()], version_url=vercel.health_url())
        print([c["summary"] for c in a["checks"]], a["changed"])
        a = deployment("promoted", version="3333333")
        print([c["summary"] for c in a["checks"]], a["changed"],a.get("msg"))
        a = deployment("listed")
        print(a["checks"])
    assert 0
