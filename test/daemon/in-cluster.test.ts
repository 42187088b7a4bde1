import { mkdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { openApi } from '../../daemon/edge/kubernetes.ts'
import { answer, FakeApi } from '../support/api.ts'
import { makeCertificate } from '../support/certificate.ts'

/** Where the kubelet puts it, in every pod; here below the /run of these tests. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

t.test('In a pod its service account is the way, and a token that was renewed is used at once', async t => {
  const certificate = makeCertificate()
  const fake = await FakeApi.startSecure(t, certificate, certificate.cert, answer({ kind: 'NodeList' }))
  mkdirSync(ACCOUNT, { recursive: true })
  writeFileSync(`${ACCOUNT}/ca.crt`, certificate.cert)
  writeFileSync(`${ACCOUNT}/token`, 'old')
  process.env['KUBERNETES_SERVICE_HOST'] = '127.0.0.1'
  process.env['KUBERNETES_SERVICE_PORT'] = String(fake.port)
  const api = openApi(undefined)
  const { signal } = new AbortController()
  t.same(await api.get('/api/v1/nodes', {}, signal), { kind: 'NodeList' })
  writeFileSync(`${ACCOUNT}/token`, 'new')
  await api.get('/api/v1/nodes', {}, signal)
  t.same(
    fake.asked.map(({ headers }) => headers.authorization),
    ['Bearer old', 'Bearer new'],
  )
})
