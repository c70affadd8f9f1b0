"""Asyncio tools that know nothing of documents."""
