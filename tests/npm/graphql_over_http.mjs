// Runs the audits of npm's graphql-http against a server, signed in; writes each one's name, verdict and reason as JSON.
import { auditServer } from 'graphql-http'

const [url, cookie] = process.argv.slice(2)

function fetchFn(to, options = {}) {
  return fetch(to, { ...options, headers: { ...options.headers, cookie } })
}

const results = await auditServer({ url, fetchFn })
console.log(JSON.stringify(results.map(({ name, status, reason }) => ({ name, status, reason }))))
