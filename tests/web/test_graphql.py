"""GraphQL over HTTP."""

from tests.hub import Hub, payload


async def test_a_mediator_adds_an_entry_and_reads_it_back(hub: Hub) -> None:
    ann = await hub.mediator()
    made = payload(
        await hub.change(
            "addLogbookEntry",
            {
                "role": "LEAD_MEDIATOR",
                "medium": "ONLINE",
                "startedOn": "2024-01-02",
                "endedOn": "2024-01-03",
                "minutes": 90,
                "notes": "mine",
            },
            "logbookEntry { id role endedMonth notes version }",
            by=ann,
        )
    )["logbookEntry"]
    assert made["role"] == "LEAD_MEDIATOR"
    assert made["notes"] == "mine"
    answer = await hub.ask(
        """{ me { name mediator { id experience { minutes byRole { role minutes } byYear { year cases } }
        logbook { totalCount nodes { id notes endedMonth } edges { cursor } pageInfo { hasNextPage endCursor } }
        learnings { nodes { id } } cpd { nodes { id } } feedback { nodes { id answers { question } } } feedbackRequests { nodes { id } } feedbackLink reviewer { id } } } }""",
        by=ann,
    )
    print(answer.body)
    assert answer.data["me"]["mediator"]["logbook"]["nodes"][0]["id"] == made["id"]
