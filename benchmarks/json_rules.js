// json-rules-engine on rules and events from standard input: {rules, events, rounds} -> {seconds, held}.
const { Engine } = require('json-rules-engine')

async function main () {
  const given = JSON.parse(require('fs').readFileSync(0))
  const engine = new Engine([], { allowUndefinedFacts: true })
  engine.addOperator('startsWith', (value, part) => typeof value === 'string' && value.startsWith(part))
  given.rules.forEach((conditions, number) => engine.addRule({ conditions, event: { type: String(number) } }))
  const held = []
  for (const event of given.events) held.push((await engine.run(event)).events.length)
  let seconds = Infinity
  for (let round = 0; round < given.rounds; round++) {
    const begun = process.hrtime.bigint()
    for (const event of given.events) await engine.run(event)
    seconds = Math.min(seconds, Number(process.hrtime.bigint() - begun) / 1e9 / given.events.length)
  }
  process.stdout.write(JSON.stringify({ seconds, held }))
}

main()
