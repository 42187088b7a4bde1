import t from 'tap'
import { cidr } from '../../test/support/result.ts'
import { masqueradeStep, owner } from '../../test/support/rules.ts'
import { chainsBehind, masqueradeChains, masqueradeElements } from './masquerade.ts'
import { elementScript } from './table.ts'

const ADDRESSES = [cidr('10.1.0.5/24'), cidr('10.1.0.6/24'), cidr('fd00::5/64')]
const CHAINS = ['postrouting', 'leaving-10.1.0.0/24', 'leaving-fd00__/64']

t.test('masqueradeChains() counts the rules that the script puts into each chain', t => {
  const { script, chains } = masqueradeStep('c1', '10.1.0.5/24', 'fd00::5/64')
  const lines = script.split('\n')
  t.same(
    chains,
    CHAINS.map(chain => ({
      chain,
      rules: lines.filter(line => line.startsWith(`add rule inet podwire ${chain} `)).length,
    })),
  )
  t.same(masqueradeChains(ADDRESSES), chains, 'each chain once')
  t.end()
})

t.test('masqueradeElements() leads each address to the chain of its subnet', t => {
  t.equal(
    elementScript(masqueradeElements(owner('c1'), ADDRESSES.slice(1))),
    'add element inet podwire masquerade4 { 10.1.0.6 comment "pods vethd72e032fedd" : goto leaving-10.1.0.0/24 }\n' +
      'add element inet podwire masquerade6 { fd00::5 comment "pods vethd72e032fedd" : goto leaving-fd00__/64 }\n',
  )
  t.end()
})

t.test('chainsBehind() finds the chains that elements lead to, each once', t => {
  const elements = masqueradeElements(owner('c1'), ADDRESSES)
  t.same(chainsBehind(elements), masqueradeChains(ADDRESSES))
  t.same(
    chainsBehind([{ kind: 'chain', chain: 'spoof-x', owner: owner('c1') }]).map(({ chain }) => chain),
    ['postrouting'],
  )
  t.end()
})
