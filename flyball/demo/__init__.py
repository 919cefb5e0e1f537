"""Demo: `flyball up` with simulated agents, one incident after another, and a narration of what is caught.

    stage (folder, ports, processes) ─ traffic (three hours of past, then live) ─ acts ─ narration
                                        agents with a guard of their own ─▶ acts ◀─ records of the log, pages

Only the agents are simulated. What catches them is what runs in production, over the same ports and files.
"""
