"""The built-in questions: the values of ``{data.question}`` if a scenario has no data."""

from __future__ import annotations

from loadtest.plan.scenario import DataRows

QUESTIONS: DataRows = tuple(
    {"question": question}
    for question in (
        "What did we spend last week, and on what?",
        "Which three customers grew the most this quarter?",
        "Summarise the open incidents in two sentences.",
        "Is there anything in the logs of last night that I should look at?",
        "How does this month compare with the same month last year?",
        "Draft a reply to the last message of our largest customer.",
        "Which of our services answers slowest, and since when?",
        "List the contracts that end within the next 60 days.",
        "Explain the difference between the two forecasts.",
        "What is the weather in Zürich tomorrow, and should we move the picnic?",
        "Find the cheapest way to send 40 kg to Oslo by Friday.",
        "Turn these notes into an agenda: budget, hiring, the move, any other business.",
        "Which orders are late, and what did we promise?",
        'What does "net 30" mean on this invoice?',
        "Translate the second paragraph into French.",
        "How many support tickets mention the new checkout?",
        "Write a test plan for the login page.",
        "Who has been on call most often since January?",
        "What would it cost to keep the logs for a year?",
        "Suggest a name for the internal newsletter.",
    )
)
