/// What the page looks like: by day and by night, on paper and on a telephone.
enum LoadPageStyle {
    static let css = """

        :root { color-scheme: light dark; --page: #ffffff; --card: #f4f5f7; --text: #1c1e21; --soft: #5f6670; --grid: #e1e4e8; --now: #2463c9; --then: #c2571a; --line: #1c1e21; --bad: #a8201a; }
        @media (prefers-color-scheme: dark) {
          :root { --page: #16181c; --card: #22252b; --text: #e8eaed; --soft: #a0a7b1; --grid: #343840; --now: #6ea8ff; --then: #f0a060; --line: #ffffff; --bad: #ff8a80; }
        }
        body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
        main { max-width: 1000px; margin: 0 auto; padding: 24px 20px 48px; }
        h1 { font-size: 22px; margin: 0; overflow-wrap: anywhere; }
        h2 { font-size: 16px; margin: 28px 0 6px; }
        .what, figcaption, .legend { color: var(--soft); margin: 4px 0; }
        .problem { color: var(--bad); font-weight: 600; }
        .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px; margin-top: 16px; }
        .card { background: var(--card); border-radius: 8px; padding: 10px 14px; display: flex; flex-direction: column; }
        .card .name, .card .then { color: var(--soft); font-size: 13px; }
        .card .value { font-size: 21px; font-variant-numeric: tabular-nums; }
        figure { margin: 0; }
        svg { width: 100%; height: auto; display: block; }
        .grid { stroke: var(--grid); stroke-width: 1; }
        .tick { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .line.now { stroke: var(--now); }
        .line.then { stroke: var(--then); stroke-dasharray: 5 4; }
        .line.p99 { stroke: var(--line); stroke-width: 1.2; stroke-opacity: 0.7; }
        .heat { fill: var(--now); }
        .key { display: inline-block; width: 22px; height: 0; border-top: 3px solid; vertical-align: middle; margin: 0 6px 0 12px; }
        .key.now { border-color: var(--now); margin-left: 0; }
        .key.then { border-color: var(--then); border-top-style: dashed; }
        table { border-collapse: collapse; }
        th { text-align: left; font-weight: 400; color: var(--soft); padding: 3px 24px 3px 0; vertical-align: top; }
        td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }

        """
}
